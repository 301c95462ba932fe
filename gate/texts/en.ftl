# English, the fallback for every other language. Texts of another language have the same ids and the same variables;
# a test compares them. The engine's own messages, such as why a code was refused, have their English in
# shared/src/engine/messages.rs; another language lists them under "messages of the engine".

# used on many pages
continue = Continue
sign-out = Sign out
one-time-code-label = One-time code
app-code-label = The code that your app shows
language = Language
language-name = English
signed-in-as = Signed in as { $name }

# how long ago something was, and when it is: within other texts
time-now = just now
time-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
  }
time-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
  }
time-days = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
  }
time-today = today { $time }
time-tomorrow = tomorrow { $time }
time-yesterday = yesterday { $time }

# sign-in
sign-in = Sign in
name-label = Name
password-label = Password
to-application = To continue to { $host }
address-too-long = The address that you opened is too long to be kept here. After signing in you reach the start page of the application; open the address again there.
sign-in-recovery = Also enter a recovery code or one-time code
recovery-label = Recovery code or one-time code
not-signed-in = Signed out
not-signed-in-line = You are not signed in.
refresh-token-used = This refresh token was already used, so someone else may have a copy. The session has ended; sign in again.
signed-out = Signed out
signed-out-line = You are signed out in this browser.
no-session-to-end = This browser sent no valid session, so no session was ended. Its cookies were removed.
session-not-ended = The cookies of this browser were removed, but the session could not be ended on the server: { $sessions }. Anyone who has a copy of the cookie can use the session until it expires. End it later under “Sessions and browsers”, or tell the administrator.
cookies = Conflicting cookies
cookies-line = This browser sends the cookies of more than one session, or too many, so it is not clear which session applies. A page of another host in this domain may have set them.
cookies-remove = Remove the cookies
cookies-removed = The cookies of this domain were removed. Sign in again. If this page comes back, tell the administrator.
not-covered = Sign-in is not possible for this address
not-covered-line = A sign-in here is not valid for the application { $host }.
not-covered-ask = Tell the administrator: the gate’s log says which setting to change.
try-again = Try again
denied = Access denied
denied-user = You are signed in as { $name }. This account is not allowed to open this page of { $host }.
denied-line = Nobody is allowed to open this page of { $host } from here.
denied-ask = If you need it, ask the administrator: the gate’s log says which rule applies.
page-not-found = Page not found
page-not-found-line = There is no such page here, or you are not allowed to open it.
signed-in = Signed in
sign-in-refused = The name or password is wrong, or there were too many attempts. Check both, wait a little, and try again.
identity-missing = User name missing
identity-missing-line = The server in front of this page must send your user name, and did not. Tell the administrator: the gate’s log says why.

# code
code = Verification code
trust-browser = Trust this browser for { $days ->
    [one] one day
   *[other] { $days } days
  }
mailed-code-label = The code that was mailed to you
app-or-mailed-code-label = The code that your app shows, or a mailed code
mail-code = Mail a code to { $to }
enter-app-code = Enter a code from your app
enter-mailed-code = Enter a mailed code
enter-other-code = Enter another kind of code
code-for = Signing in as { $name }
not-you = Wrong account, or has this sign-in expired?
start-again = Start again
wait-left = The next attempt is possible in { $seconds } s.
wait-over = You can try again now.

# enrollment
enroll = Set up your second factor
enroll-line = Scan this with an authenticator app, then enter the code that the app shows.
show-secret = Show the secret instead
open-in-app = Open in an app on this device
save-codes = Save your recovery codes
save-codes-line = If you lose your phone, each of these codes signs you in once, in place of the code from the app. They are not shown again.
save-code-line = If you lose your phone, this code signs you in once and turns your second factor off. It is not shown again.
app-password-needed = From then on, programs that cannot show a web page, such as for files, calendars or mail, need an app password.
codes-saved = I have saved them where I can find them without my phone
turn-on = Turn the second factor on
copy = Copy
copied = Copied
copy-named = Copy: { $name }
download = Download
print = Print
enrollment-required = Second factor required
enrollment-required-line = This account must have a second factor and has none. To set one up you need a one-time code; ask the administrator for it.
enrollment-required-one-of = This account must have a second factor and has none. To set one up you need a one-time code; ask an administrator ({ $administrators }) for it.
group = group { $name }
sign-in-other-name = Sign in with another name
one-time-code-invalid = This is not a one-time code: it begins with P-, followed by 12 characters.
enrollment-expired = This setup has expired, or the account was changed in the meantime. Nothing was changed; sign in and start again.

# step-up and re-authentication
step-up-required = This needs your password and a new code.
lost-phone = Have you lost your phone?
lost-phone-line = For the next 15 minutes you can set up a new authenticator in place of the old one, or turn off the second factor.
enroll-new = Set up a new authenticator
turn-off = Turn the second factor off
turned-off = Second factor turned off
turned-off-line = Your second factor is off. All other sessions and trusted browsers have ended.
turn-off-required = This account must have a second factor: set up a new one instead.
account-declared = This second factor is set in a configuration file; only the administrator can change it.
act-failed = This did not work, or it is already off. Tell the administrator: the gate’s log says why.
act-failed-title = Nothing changed

# the account
account = Your account
to-account = Go to your account
cancel = Cancel
second-factor = Second factor
on = On
on-since = On since { $since }
second-factor-off = Off: your password alone is enough to sign in.
by-administrator = Set up by the administrator
last-used = last used { $at }
not-used = not used yet
remove = Remove
remove-named = Remove { $name }
recovery-codes = Recovery codes
recovery-codes-line = { $left ->
    [0] None is left: you cannot sign in without your phone.
    [one] { $left } is left.
   *[other] { $left } are left.
  }
mailed-codes = Codes by mail
mailed-codes-on = Codes are mailed to { $to } when you ask for one.
mailed-codes-off = No codes are mailed to you.
mail-notices = Mail
mail-notices-on = What happens to your account is mailed to { $to }.
mail-notices-off = Nothing about your account is mailed.
change-address = Change the address
sign-ins = Sessions and browsers
sign-ins-count = { $sessions ->
    [one] { $sessions } session
   *[other] { $sessions } sessions
  }, { $browsers ->
    [0] no trusted browser
    [one] { $browsers } trusted browser
   *[other] { $browsers } trusted browsers
  }
show-sign-ins = Show sessions and browsers
own-password-label = Your password
new-code-label = A new code
next-code = You have just used a code, and each code is valid only once. Your app shows the next one in { $seconds } s.
next-code-now = Your app shows a new code now.
current-password-label = Your current password

# turning the second factor on and off
turn-on-line = With a second factor, your password alone is not enough to sign in: each time you also enter a code that an app on your phone shows.
already-enrolled = This account already has a second factor.
no-second-factor = This account has no second factor.
turn-off-line = Your password alone will be enough to sign in, here and at every other service. The secret is deleted, and all other sessions and trusted browsers end.
replace = Replace the authenticator
enroll-new-line = For a new phone, or after a loss. The old authenticator works until the new one is confirmed; then all other sessions and trusted browsers end.

# authenticators
add-authenticator = Add an authenticator
add-authenticator-line = A second phone, or a hardware token. Each one works on its own.
authenticator-name-label = A name, such as “tablet”
hardware-token = This is a hardware token
seed-label = Its secret, in hexadecimal or Base32
code-change-label = The code changes
every-seconds = every { $seconds } seconds
at-each-press = at each press of the button
digits-label = Digits
algorithm-label = Algorithm
authenticator-added = Authenticator added
authenticator-added-line = You can use it at every sign-in. All other sessions and trusted browsers have ended.
remove-authenticator = Remove an authenticator
remove-authenticator-line = Codes of “{ $name }” will no longer be valid, and all other sessions and trusted browsers end.
authenticator-removed = Authenticator removed
authenticator-removed-line = Its codes are no longer valid. All other sessions and trusted browsers have ended.
last-authenticator = This is the only authenticator: add another one first, or turn off the second factor.
secret-code-used = This secret was in use here before, and this code was already accepted then: start again with the next code.
token-invalid = These values of a hardware token are invalid: { $why }

# recovery codes
new-codes = Make new recovery codes
new-codes-line = Your current codes are no longer valid as soon as you confirm that the new ones are saved.
use-new-codes = Use these codes from now on
codes-renewed = New recovery codes
codes-renewed-line = The new codes are valid; the earlier codes are no longer valid.

# app passwords
app-passwords = App passwords
app-passwords-line = For programs that cannot show a web page, such as for files, calendars or mail. Each one is valid only where you say, and never for the pages of this account.
app-passwords-count = { $count ->
    [0] There are no app passwords.
    [one] There is { $count } app password.
   *[other] There are { $count } app passwords.
  }
manage-app-passwords = Manage app passwords
expires-at = expires { $at }
rename = Rename
new-name-label = New name
revoke = Revoke
revoke-named = Revoke { $name }
new-app-password = New app password
app-password-name-label = Name of the program or device
app-suggestions = Phone, Tablet, Calendar, Files, Mail, git on the laptop
scope-label = Valid for
scope-other = Other
scope-other-label = Addresses or services, one per line
scope-hint = web:HOST/PATH for a web address and all below it, or pam:SERVICE for a service of this host.
scope-missing = Choose what the app password is valid for.
service-unknown = This host has no PAM service { $name }.
lifetime-label = Expires after
days = { $days ->
    [one] { $days } day
   *[other] { $days } days
  }
never = never
create-app-password = Make app password
app-password-shown = Enter these values in the settings of the program. The password is shown only once.
app-password-address = Address
app-password-service = Service
app-password-user = User name
app-password-spaces = Enter the password with or without the hyphens.
app-password-until = It expires { $at }.
app-password-saved = I have entered it
scope-invalid = This is not a valid scope: { $why }
scope-unknown = There is no scope { $name }.
scope-of-gate = An app password is not valid for the gate’s own pages: enter the host of the application.
expiry-past = This expiry time has already passed.

# mailed codes
address-code-mailed = A code was mailed to { $to }. Enter it here to have codes mailed to this address.
confirm-address = Confirm the address
new-address = New address
address-label = Address
mail-address-code = Mail a code to this address
remove-address = Stop mailing codes
remove-address-line = No more codes are mailed to you, and all other sessions and trusted browsers end. If mailed codes are your only second factor, your password alone will be enough to sign in.
address-confirmed = Address confirmed
address-confirmed-line = From now on codes are mailed to this address when you ask for one. All other sessions and trusted browsers have ended.
address-removed = Codes by mail turned off
address-removed-line = No more codes are mailed; your authenticators keep working.
address-invalid = This is not a valid mail address.
address-needs-second-factor = This account has no second factor yet. Set up an authenticator app first; you need a one-time code for it. Ask the administrator for one.
mail-off = Mail is not configured here.
address-not-mailed = The code could not be mailed to this address. Check the address, or try again; if this continues, tell the administrator.
nothing-to-confirm = There is no address to confirm: request a new code.

# the password
change-password = Change your password
change-password-line = All other sessions and trusted browsers end.
new-password-label = New password
repeat-password-label = Repeat the new password
passwords-differ = The two passwords differ; nothing was changed.
password-changed = Password changed
password-changed-line = All other sessions and trusted browsers have ended.
password-too-short = A password must have at least { $least } characters.
password-too-long = A password must have at most 1024 bytes.
password-common = This password is one of the most common ones, which are guessed first. Choose another one.
password-of-names = This password is made of your name or the name of this site, which are guessed first. Choose another one.
password-elsewhere = Your password is not managed here.
wrong-password = That password is wrong.

# sessions and browsers
sessions = Sessions
this-session = This session
session-details = { $from }; since { $created }, last used { $seen }
end-session = End
end-session-named = End the session in { $name }
sign-out-everywhere = Sign out everywhere
end-sessions = It was not me
end-sessions-line = This ends every session of { $user }, forgets every trusted browser, and revokes the app passwords if that is configured. You must sign in again, too.
ended-sessions = Signed out everywhere
ended-sessions-line = Every session of the account has ended, and no browser is trusted any more. Now change the password, remove authenticators and app passwords that are not yours, and tell an administrator.
end-sessions-invalid = This link is no longer valid
end-sessions-invalid-line = It is valid once, and for seven days. To end sessions, sign in and choose “Sign out everywhere” in your account, or ask an administrator.
trusted-browsers = Trusted browsers
no-trusted-browser = None: every sign-in asks for a code.
revoke-trust = Stop trusting
revoke-trust-named = Stop trusting { $name }
revoke-trust-all = Stop trusting all browsers
open-connections = Connections that are open, such as a chat or a shell in a page, continue until they close.

# why an act was refused
no-account = There is no such account.
name-taken = There is already one with this name.
not-found = This does not exist any more.
too-many = There are already { $most }, which is the maximum.
too-many-app-passwords = The maximum number of app passwords is reached: revoke one first.
name-invalid = A name must have 1 to 64 characters.
stale = This took too long, or the account was changed in the meantime. Nothing was changed; start again.
other-spelling = This name is another spelling of an existing account. Sign in with the account’s own name, or ask the administrator.

# when sign-in is not available
busy = Busy
busy-line = Too many people are signing in right now. Try again in a moment.
busy-address-line = Too many requests came from your address at the same time. Try again in a moment.
unavailable = Not available
unavailable-line = Sign-in does not work right now. Tell the administrator: the gate’s log says why.

# for programs that use the API
unknown-endpoint = There is no such endpoint; api/v1/openapi.json lists all endpoints.
method-not-allowed = This method is not allowed here; the header Allow lists those that are.
foreign-origin = This request comes from a page of another site.
not-json = The body must be JSON, with Content-Type: application/json.
json-malformed = The body is not a JSON object, or this endpoint takes no body.
json-schema = The JSON does not match the schema in api/v1/openapi.json, at column { $column }.
body-too-large = The body is longer than 16 KiB.
body-too-slow = The body took longer than 10 seconds to arrive.
proof-not-kept = The gate shares its host with an application here and keeps no proof: send the password and code with each act.
seed-missing = Digits, algorithm, period and counter are allowed only with a seed; for an app the gate’s configuration sets them.
expiry-too-far = This expiry time is too far in the future.

# administration
administration = Administration
admin-find-label = Name, or a part of it
admin-find = Find
admin-accounts = Accounts
admin-no-match = No account matches.
admin-more = There are more: enter a longer part of the name.
admin-locked = locked after too many wrong codes
admin-off = Off
admin-none = There are none.
admin-trusted = (trusted)
admin-last-sign-in = Last sign-in with a code { $at }
admin-codes-left = { $left ->
    [one] { $left } recovery code is left.
   *[other] { $left } recovery codes are left.
  }
admin-code-until = A one-time code is valid until { $until }.
admin-account = Account: { $name }
admin-events = Events
admin-all-events = Events of all accounts
admin-event = { $at }, at { $service }, from { $from }, by { $by }
admin-older = Older
admin-unlock = Remove delays and locks
admin-unlock-line = Wrong codes that were entered so far no longer count, at any service.
admin-reset-clock = Reset after a wrong host clock
admin-reset-clock-line = Accepts codes again after the host’s clock was ahead and was set back. Accounts that are not affected do not change.
admin-end-sessions = End all sessions
admin-revoke-trust-line = The next sign-in in each of these browsers asks for a code.
admin-issue-code = Issue a one-time code
admin-issue-code-line = It signs the person in once within 48 hours, in place of the app’s code, and is shown once. Earlier one-time codes are no longer valid. Make sure that the right person gets it.
admin-cancel-code = Cancel the one-time code
admin-cancel-code-line = The code will no longer be valid.
admin-disable-line = The password alone will be enough for this person to sign in, at every service, unless the policy requires more. The secret and the recovery codes are deleted, and all sessions and trusted browsers end.
admin-disabled = The second factor is off; the secret and the recovery codes are deleted.
admin-still-required = The policy requires a second factor: with a one-time code the person can set up a new one.
admin-done = Done.
admin-done-count = { $count ->
    [0] There was nothing to change.
    [one] Done; { $count } was changed.
   *[other] Done; { $count } were changed.
  }
admin-code-shown = Valid once, until { $until }. It is not shown again.
admin-own-account = This is your own account: change it on your account page.
admin-needs-factor = Administration requires a second factor of your own: set one up first.

# passkeys
passkeys = Passkeys
passkeys-line = A passkey is kept by your phone, computer or security key. It signs you in without a code to type, and cannot be given to a wrong site. Your authenticator app stays, for everything else.
passkeys-count = { $count ->
    [0] No passkey is set up.
    [one] One passkey is set up.
   *[other] { $count } passkeys are set up.
 }
manage-passkeys = Manage passkeys
add-passkey = Add a passkey
passkey-name-label = A name, such as “laptop”
passkeys-need-script = This browser shows no passkeys here: they need JavaScript, and a browser that has them.
new-passkey-line = Your browser now asks for the passkey “{ $name }”.
make-passkey = Create the passkey
use-passkey = Use a passkey
confirm-by-passkey = Confirm with a passkey
passkey-failed = The browser gave no passkey. Try again, or use a code.
passkey-refused = The passkey was not accepted. Try again, or use a code.
sign-in-by-passkey = Sign in with a passkey
passkey-sign-in-failed = The browser gave no passkey. Try again, or sign in with name and password.
passkey-sign-in-refused = The passkey was not accepted. Try again, or sign in with name and password.
passkey-not-verified = This passkey does not ask for a PIN or biometrics, so it does not sign you in alone. Sign in with name and password, and use it in place of the code.
passkey-registered = This passkey is set up already.
passkeys-need-passkey = Sign in with a passkey or a recovery code to change your passkeys, recovery codes or second factor.
passkeys-not-available = Passkeys are not available here. Ask the administrator.
too-many-passkeys = There are { $most } passkeys, which is the maximum: remove one first.
page-needs-passkey = The page that you requested needs a passkey. A code signs you in, but does not open it.
page-needs-new-passkey = The page that you requested needs a passkey, and you have none yet. Sign in with a code, then add one on the page of your account.
admin-needs-passkey = Your account needs a passkey for administration. Sign in with one; if you have none yet, add one on the page of your account.
add-needed-passkey = You need a passkey, and have none yet. Add one here, then sign in with it.
remove-passkey = Remove a passkey
remove-passkey-line = “{ $name }” will no longer sign you in, and all other sessions and trusted browsers end.
passkey-removed = Passkey removed
passkey-removed-line = It no longer signs you in. All other sessions and trusted browsers have ended.
admin-remove-passkey-line = The passkey no longer signs the user in, and all sessions and trusted browsers of the account end.
passkey-code = Code for a terminal
passkey-code-line = A passkey makes a code for one prompt of ssh or sudo. It is valid for 90 seconds, once, and replaces an earlier one.
make-passkey-code = Make a code with a passkey
passkey-code-made = Your code
passkey-code-shown = Enter this code where ssh or sudo asks for a verification code.
passkey-code-until = It expires { $at }.
passkey-code-care = Do not give it to anyone: only a prompt that you opened yourself needs it.
another-passkey-code = Make another code
passkey-code-none = A code needs a passkey whose device checks you, by PIN or fingerprint. Add one first.

# approval
approve = Approve a sign-in
approve-line = Approve this only if you are signing in there now and your own prompt shows the number that you type here.
approve-warning = If someone has sent you this address or the number, it is an attack: press “This was not me”.
approve-host = Host
approve-service = Service
approve-from = From
approve-account = Account
approve-user = Signs in as
approve-time = Time
approve-asked = asked { $at }
approve-number = The number at the prompt
approve-by-passkey = Approve with a passkey
approve-no-passkey = The browser gave no passkey. Try again, or type a code at the prompt.
not-me = This was not me
approved = Approved
approved-line = You can press Enter at the prompt of { $service } on { $host } now.
approval-wrong-number = The number was wrong, and the request is refused. Start again at the prompt.
approval-unknown = No such request
approval-unknown-line = There is nothing to approve here for your account: the request has ended, or is not yours. Start again at the prompt.
approval-refused = Refused
approval-refused-line = The request is refused, and is in the log.
approval-refused-advice = The request was made with your first factor, such as your password or a key: change it, and tell the administrator.
