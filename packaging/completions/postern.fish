# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_postern_global_optspecs
    string join \n config= json gate= admin-secret-file= gate-ca= h/help V/version
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

complete -c postern -n "__fish_postern_needs_command" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_needs_command" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_needs_command" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_needs_command" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_needs_command" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_needs_command" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_needs_command" -s V -l version -d 'Print version'
complete -c postern -n "__fish_postern_needs_command" -f -a "init" -d 'Create the master key and the store'
complete -c postern -n "__fish_postern_needs_command" -f -a "enroll" -d 'Set up a second factor: QR, a code to confirm, recovery codes'
complete -c postern -n "__fish_postern_needs_command" -f -a "verify" -d 'Read a code, consume it, and print the verification result'
complete -c postern -n "__fish_postern_needs_command" -f -a "status" -d 'Show who has a second factor'
complete -c postern -n "__fish_postern_needs_command" -f -a "disable" -d 'Turn a second factor off'
complete -c postern -n "__fish_postern_needs_command" -f -a "recovery" -d 'Make a new set of recovery codes; earlier ones are no longer valid'
complete -c postern -n "__fish_postern_needs_command" -f -a "one-time-code" -d 'Issue a code that is valid once, for someone who cannot sign in'
complete -c postern -n "__fish_postern_needs_command" -f -a "authenticator" -d 'The authenticators of an account'
complete -c postern -n "__fish_postern_needs_command" -f -a "email" -d 'The address that codes are mailed to'
complete -c postern -n "__fish_postern_needs_command" -f -a "unlock" -d 'Remove delays and locks'
complete -c postern -n "__fish_postern_needs_command" -f -a "account" -d 'Accounts'
complete -c postern -n "__fish_postern_needs_command" -f -a "password" -d 'Set the password for the web, read from the terminal or stdin'
complete -c postern -n "__fish_postern_needs_command" -f -a "app-password" -d 'App passwords, for clients that cannot show a web page'
complete -c postern -n "__fish_postern_needs_command" -f -a "browser" -d 'Trusted browsers'
complete -c postern -n "__fish_postern_needs_command" -f -a "session" -d 'Sessions of the web'
complete -c postern -n "__fish_postern_needs_command" -f -a "import" -d 'Import second factors from files of other systems'
complete -c postern -n "__fish_postern_needs_command" -f -a "print-config" -d 'Print the configuration of a proxy, with its secret filled in'
complete -c postern -n "__fish_postern_needs_command" -f -a "key" -d 'The master key and the keys that it wraps'
complete -c postern -n "__fish_postern_needs_command" -f -a "upgrade" -d 'Upgrade the store to the version of this program, after making a copy of it'
complete -c postern -n "__fish_postern_needs_command" -f -a "log" -d 'Show audit events'
complete -c postern -n "__fish_postern_needs_command" -f -a "edit" -d 'Edit postern.toml and check it before it comes into force'
complete -c postern -n "__fish_postern_needs_command" -f -a "check" -d 'Check postern.toml, and show what a request at the gate requires'
complete -c postern -n "__fish_postern_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand init" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand init" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand init" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand init" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand init" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand init" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand enroll" -l name -d 'What the person calls it' -r
complete -c postern -n "__fish_postern_using_subcommand enroll" -l seed-file -d 'The secret of a hardware token, in hexadecimal or Base32; "-" reads it from stdin' -r -F
complete -c postern -n "__fish_postern_using_subcommand enroll" -l counter -d 'By counter (HOTP) instead of by time, from this counter on' -r
complete -c postern -n "__fish_postern_using_subcommand enroll" -l algorithm -d 'The hash: sha1, sha256 or sha512' -r
complete -c postern -n "__fish_postern_using_subcommand enroll" -l digits -d 'Digits of a code: 6 or 8' -r
complete -c postern -n "__fish_postern_using_subcommand enroll" -l period -d 'Length of a time step, in seconds: 15 to 120' -r
complete -c postern -n "__fish_postern_using_subcommand enroll" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand enroll" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand enroll" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand enroll" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand enroll" -l no-confirm -d 'Make it active at once, without a code and without asking whether the recovery codes are saved'
complete -c postern -n "__fish_postern_using_subcommand enroll" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand enroll" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand verify" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand verify" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand verify" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand verify" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand verify" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand verify" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand status" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand status" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand status" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand status" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand status" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand status" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand disable" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand disable" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand disable" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand disable" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand disable" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand disable" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand recovery" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand recovery" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand recovery" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand recovery" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand recovery" -l no-confirm -d 'Make them valid at once, without asking whether they are saved'
complete -c postern -n "__fish_postern_using_subcommand recovery" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand recovery" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -l cancel -d 'Cancel the last one instead'
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand one-time-code" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -f -a "add" -d 'Add one to those of the account'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -f -a "remove" -d 'Remove one of several'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and not __fish_seen_subcommand_from add list remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l name -d 'What the person calls it' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l seed-file -d 'The secret of a hardware token, in hexadecimal or Base32; "-" reads it from stdin' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l counter -d 'By counter (HOTP) instead of by time, from this counter on' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l algorithm -d 'The hash: sha1, sha256 or sha512' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l digits -d 'Digits of a code: 6 or 8' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l period -d 'Length of a time step, in seconds: 15 to 120' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l no-confirm -d 'Make it active at once, without a code and without asking whether the recovery codes are saved'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from list" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from list" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from list" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from list" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from list" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from remove" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from remove" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from remove" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from remove" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add one to those of the account'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove one of several'
complete -c postern -n "__fish_postern_using_subcommand authenticator; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -f -a "set" -d 'Mail a code to a new address'
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -f -a "confirm" -d 'Confirm a new address with that code'
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -f -a "remove" -d 'Stop mailing codes'
complete -c postern -n "__fish_postern_using_subcommand email; and not __fish_seen_subcommand_from set confirm remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from set" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from set" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from set" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from set" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from set" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from confirm" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from confirm" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from confirm" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from confirm" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from confirm" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from confirm" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from remove" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from remove" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from remove" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from remove" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from help" -f -a "set" -d 'Mail a code to a new address'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from help" -f -a "confirm" -d 'Confirm a new address with that code'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Stop mailing codes'
complete -c postern -n "__fish_postern_using_subcommand email; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand unlock" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand unlock" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand unlock" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand unlock" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand unlock" -l clock -d 'Also accept codes again after the host\'s clock was set back'
complete -c postern -n "__fish_postern_using_subcommand unlock" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand unlock" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -f -a "add" -d 'Create an account'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -f -a "remove" -d 'Remove an account and all its data'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -f -a "rename" -d 'Rename an account'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -f -a "group" -d 'Show the groups of an account, or change them'
complete -c postern -n "__fish_postern_using_subcommand account; and not __fish_seen_subcommand_from add remove rename group help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l distinct-name -d 'Accept the name even if it is another spelling of an existing account'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from remove" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from remove" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from remove" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from remove" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -l distinct-name -d 'Accept the name even if it is another spelling of an existing account'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l add -d 'Add it to this group; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l remove -d 'Remove it from this group; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from group" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "add" -d 'Create an account'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove an account and all its data'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "rename" -d 'Rename an account'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "group" -d 'Show the groups of an account, or change them'
complete -c postern -n "__fish_postern_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand password" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand password" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand password" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand password" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand password" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand password" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -f -a "add" -d 'Make one for a client that cannot show a web page; it is shown once'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -f -a "rename" -d 'Rename one'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand app-password; and not __fish_seen_subcommand_from add list rename revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l scope -d 'Where it is valid: pam:SERVICE, "web:HOST/PATH METHOD,METHOD", or the name of a declared scope; may be given more than once' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l expires -d 'When it expires: after a duration such as 90d, at a date or time (UTC), or never' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from list" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from list" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from list" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from list" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from list" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from rename" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from rename" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from rename" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from rename" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from rename" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -l all -d 'End all of the account\'s'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make one for a client that cannot show a web page; it is shown once'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from help" -f -a "rename" -d 'Rename one'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand app-password; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand browser; and not __fish_seen_subcommand_from list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l all -d 'End all of the account\'s'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand browser; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand session; and not __fish_seen_subcommand_from list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l all -d 'End all of the account\'s'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand session; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand import" -l user -d 'The account that a file of google-authenticator belongs to' -r
complete -c postern -n "__fish_postern_using_subcommand import" -l key-file -d 'The pre-shared key of a PSKC file: 16 or 32 bytes, as they are or in hexadecimal' -r -F
complete -c postern -n "__fish_postern_using_subcommand import" -l password-file -d 'The password of a PSKC file' -r -F
complete -c postern -n "__fish_postern_using_subcommand import" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand import" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand import" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand import" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand import" -l distinct-name -d 'Accept the name even if it is another spelling of an existing account'
complete -c postern -n "__fish_postern_using_subcommand import" -l dry-run -d 'Show what would be imported, and change nothing'
complete -c postern -n "__fish_postern_using_subcommand import" -l yes -d 'Import without asking'
complete -c postern -n "__fish_postern_using_subcommand import" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand import" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand print-config" -l app -d 'The host of the application; a likely one if not given' -r
complete -c postern -n "__fish_postern_using_subcommand print-config" -l folder -d 'The folder for the other files that the proxy reads; /etc/nginx or /etc/traefik/dynamic if not given' -r -F
complete -c postern -n "__fish_postern_using_subcommand print-config" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand print-config" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand print-config" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand print-config" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand print-config" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand print-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -f -a "rotate" -d 'Make a new master key and seal every secret again, while services run'
complete -c postern -n "__fish_postern_using_subcommand key; and not __fish_seen_subcommand_from rotate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l compromised -d 'Renew all keys: passwords, recovery codes, app passwords, trusted browsers and sessions end'
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l yes -d 'Do not ask for confirmation'
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "rotate" -d 'Make a new master key and seal every secret again, while services run'
complete -c postern -n "__fish_postern_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand upgrade" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand upgrade" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand upgrade" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand upgrade" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand upgrade" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand upgrade" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand log" -l event -d 'Only events of this kind' -r -f -a "account-added\t''
account-removed\t''
account-renamed\t''
groups-changed\t''
accepted\t''
refused\t''
locked\t''
enrolled\t''
imported\t''
authenticator-added\t''
authenticator-removed\t''
recovery-codes-replaced\t''
one-time-code-issued\t''
one-time-code-cancelled\t''
code-asked\t''
email-set\t''
email-confirmed\t''
email-removed\t''
disabled\t''
unlocked\t''
password-set\t''
host-password-changed\t''
app-password-added\t''
app-password-renamed\t''
app-password-revoked\t''
browser-revoked\t''
session-revoked\t''
clock-mended\t''
keys-rotated\t''
keys-renewed\t''"
complete -c postern -n "__fish_postern_using_subcommand log" -l door -d 'Only events at this service: a PAM service, web, or postern' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l since -d 'Not before: a date, a time (UTC), or a duration before now such as 2h or 30d' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l until -d 'Not after' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l lines -d 'How many past events, newest first; 100 if no time is given, else all' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand log" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand log" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand log" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand log" -l follow -d 'Keep printing new events'
complete -c postern -n "__fish_postern_using_subcommand log" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand log" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand edit" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand edit" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand edit" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand edit" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand edit" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand edit" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand check" -l rule -d 'Show which rule of the gate matches a request, and why: GET https://app.example.com/' -r
complete -c postern -n "__fish_postern_using_subcommand check" -l user -d 'The user of the request; if not given, a user who has not signed in' -r -f -a "(__fish_complete_users)"
complete -c postern -n "__fish_postern_using_subcommand check" -l from -d 'The address of the client; if not given, one that is in no network' -r
complete -c postern -n "__fish_postern_using_subcommand check" -l config -d 'Use another postern.toml' -r -F
complete -c postern -n "__fish_postern_using_subcommand check" -l gate -d 'Run the command at this gate: status, disable, unlock and one-time-code' -r
complete -c postern -n "__fish_postern_using_subcommand check" -l admin-secret-file -d 'The file with that gate\'s secret for administration' -r -F
complete -c postern -n "__fish_postern_using_subcommand check" -l gate-ca -d 'The authority of that gate\'s certificate (PEM), instead of those of this host' -r -F
complete -c postern -n "__fish_postern_using_subcommand check" -l keep -d 'Save a copy that is in force when postern.toml cannot be used; root only'
complete -c postern -n "__fish_postern_using_subcommand check" -l json -d 'Print JSON instead of text'
complete -c postern -n "__fish_postern_using_subcommand check" -s h -l help -d 'Print help'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "init" -d 'Create the master key and the store'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "enroll" -d 'Set up a second factor: QR, a code to confirm, recovery codes'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "verify" -d 'Read a code, consume it, and print the verification result'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "status" -d 'Show who has a second factor'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "disable" -d 'Turn a second factor off'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "recovery" -d 'Make a new set of recovery codes; earlier ones are no longer valid'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "one-time-code" -d 'Issue a code that is valid once, for someone who cannot sign in'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "authenticator" -d 'The authenticators of an account'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "email" -d 'The address that codes are mailed to'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "unlock" -d 'Remove delays and locks'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "account" -d 'Accounts'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "password" -d 'Set the password for the web, read from the terminal or stdin'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "app-password" -d 'App passwords, for clients that cannot show a web page'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "browser" -d 'Trusted browsers'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "session" -d 'Sessions of the web'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "import" -d 'Import second factors from files of other systems'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "print-config" -d 'Print the configuration of a proxy, with its secret filled in'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "key" -d 'The master key and the keys that it wraps'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "upgrade" -d 'Upgrade the store to the version of this program, after making a copy of it'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "log" -d 'Show audit events'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "edit" -d 'Edit postern.toml and check it before it comes into force'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "check" -d 'Check postern.toml, and show what a request at the gate requires'
complete -c postern -n "__fish_postern_using_subcommand help; and not __fish_seen_subcommand_from init enroll verify status disable recovery one-time-code authenticator email unlock account password app-password browser session import print-config key upgrade log edit check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from authenticator" -f -a "add" -d 'Add one to those of the account'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from authenticator" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from authenticator" -f -a "remove" -d 'Remove one of several'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from email" -f -a "set" -d 'Mail a code to a new address'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from email" -f -a "confirm" -d 'Confirm a new address with that code'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from email" -f -a "remove" -d 'Stop mailing codes'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "add" -d 'Create an account'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "remove" -d 'Remove an account and all its data'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "rename" -d 'Rename an account'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "group" -d 'Show the groups of an account, or change them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from app-password" -f -a "add" -d 'Make one for a client that cannot show a web page; it is shown once'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from app-password" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from app-password" -f -a "rename" -d 'Rename one'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from app-password" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from browser" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from browser" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "list" -d 'Show them'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from session" -f -a "revoke" -d 'End one, or all'
complete -c postern -n "__fish_postern_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "rotate" -d 'Make a new master key and seal every secret again, while services run'
