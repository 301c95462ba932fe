# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_postern_global_optspecs
    string join \n config= json h/help V/version
end

function __fish_postern_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_postern_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_postern_using_subcommand
    set -l cmd (__fish_postern_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c postern -n "__fish_postern_needs_command" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_needs_command" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_needs_command" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_needs_command" -s V -l version -d 'Print version'
complete -c postern -n "__fish_postern_needs_command" -f -a "init" -d 'Make the master key and the store'
complete -c postern -n "__fish_postern_needs_command" -f -a "enroll" -d 'Set up a second factor: QR, a code to confirm, recovery codes'
complete -c postern -n "__fish_postern_needs_command" -f -a "verify" -d 'Read a code, spend it, and say the verdict'
complete -c postern -n "__fish_postern_needs_command" -f -a "status" -d 'Show who has a second factor'
complete -c postern -n "__fish_postern_needs_command" -f -a "disable" -d 'Turn a second factor off'
complete -c postern -n "__fish_postern_needs_command" -f -a "unlock" -d 'Lift delays and locks'
complete -c postern -n "__fish_postern_needs_command" -f -a "account" -d 'Accounts'
complete -c postern -n "__fish_postern_needs_command" -f -a "password" -d 'Set the password for the web, read from the terminal or stdin'
complete -c postern -n "__fish_postern_needs_command" -f -a "browser" -d 'Trusted browsers'
complete -c postern -n "__fish_postern_needs_command" -f -a "session" -d 'Sessions of the web'
complete -c postern -n "__fish_postern_needs_command" -f -a "print-config" -d 'Print a proxy\'s configuration, with its proof filled in'
complete -c postern -n "__fish_postern_needs_command" -f -a "log" -d 'Show what happened'
complete -c postern -n "__fish_postern_needs_command" -f -a "edit" -d 'Edit postern.toml and check it before it counts'
complete -c postern -n "__fish_postern_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand init" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand init" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand init" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand enroll" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand enroll" -l no-confirm -d 'Make it active at once, without a code and without asking whether the recovery codes are saved'
complete -c postern -n "__fish_postern_using_subcommand enroll" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand enroll" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand verify" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand verify" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand verify" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand status" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand status" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand status" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand disable" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand disable" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand disable" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand unlock" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand unlock" -l clock -d 'Also accept codes again after the host\'s clock was set back'
complete -c postern -n "__fish_postern_using_subcommand unlock" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand unlock" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add help" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add help" -f -a "add" -d 'Make an account'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make an account'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand password" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand password" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand password" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l all -d 'End all of the account\'s'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l all -d 'End all of the account\'s'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand print-config" -l app -d 'The host of the application; a likely one if not given' -r
complete -c postern -n "__fish_postern_using_subcommand print-config" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand print-config" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand print-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand log" -l event -d 'Only what happened so' -r -f -a "account-added\t''
accepted\t''
refused\t''
locked\t''
enrolled\t''
disabled\t''
unlocked\t''
password-set\t''
browser-revoked\t''
session-revoked\t''
clock-mended\t''"
complete -c postern -n "__fish_postern_using_subcommand log" -l door -d 'Only through this door: a PAM service, web, or postern' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l since -d 'Not before: a date, a time (UTC), or so long ago, such as 2h or 30d' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l until -d 'Not after' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l lines -d 'How many past events, the newest; 100 if no time is given, else all' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand log" -l follow -d 'Go on printing what happens'
complete -c postern -n "__fish_postern_using_subcommand log" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand log" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand edit" -l config -d 'Another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand edit" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand edit" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "init" -d 'Make the master key and the store'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "enroll" -d 'Set up a second factor: QR, a code to confirm, recovery codes'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "verify" -d 'Read a code, spend it, and say the verdict'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "status" -d 'Show who has a second factor'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "disable" -d 'Turn a second factor off'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "unlock" -d 'Lift delays and locks'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "account" -d 'Accounts'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "password" -d 'Set the password for the web, read from the terminal or stdin'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "browser" -d 'Trusted browsers'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "session" -d 'Sessions of the web'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "print-config" -d 'Print a proxy\'s configuration, with its proof filled in'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "log" -d 'Show what happened'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "edit" -d 'Edit postern.toml and check it before it counts'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable unlock account password browser session print-config log edit help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "add" -d 'Make an account'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from browser" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from browser" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "revoke" -d 'End one, or all'
