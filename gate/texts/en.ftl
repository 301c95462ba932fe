# English, the language that every other falls back to. A text of another language has the same name and the same
# variables; a test compares them. Durations come as "30 s", "5 min" or "2 h".

# what stands on many pages
continue = Continue
sign-out = Sign out
one-time-code-label = One-time code
app-code-label = The code that your app shows

# sign-in
sign-in = Sign in
name-label = Name
password-label = Password
recovery-along = Use a recovery or one-time code as well
recovery-label = Recovery or one-time code
not-signed-in = Signed out
not-signed-in-line = You are not signed in.
refresh-token-used = That refresh token was used before, so that someone else may have it. The session has ended; sign in again.
signed-out = Signed out
signed-out-line = You are signed out here.
sign-out-unread = This browser sent no sign-in that could be read, so that none was ended here. Its cookies were removed.
sign-out-left = The cookies of this browser were removed, but the sign-in could not be ended at the server: { $which }. Whoever has a copy of the cookie can use it until it expires. End it under “Sessions and browsers” later, or tell the administrator.
cookies = Cookies that do not fit together
cookies-line = This browser sends the cookies of more than one sign-in, or too many, so that it is not clear whose sign-in counts. A page of another host of this domain may have set them.
cookies-clear = Remove the cookies
cookies-cleared = The cookies of this domain were removed. Sign in again. If this page comes back, tell the administrator.
not-covered = Nobody can sign in for this address
not-covered-line = A sign-in here does not reach the application { $host }.
not-covered-ask = Tell the administrator: the gate’s log says which setting to change.
signed-in = Signed in
refused-before-code = Name or password is wrong, or there were too many attempts. Check them, wait a little, and try again.
nobody-is-named = Nobody is named here
nobody-is-named-line = The server in front of this page is to say who you are, and did not. Tell the administrator: the gate’s log says why.

# code
code = Verification code
trust-browser = Trust this browser for { $days ->
    [one] one day
   *[other] { $days } days
  }
mailed-code-label = The code that is mailed to you
app-or-mailed-code-label = The code that your app shows, or a mailed one
mail-a-code = Mail a code to { $to }
enter-app-code = Enter a code of your app
enter-mailed-code = Enter a mailed code
enter-other-code = Enter another kind of code
begin-anew = Begin anew
code-mailed = A code is on its way to { $to }. It is good for { $life }; older ones open no more.

# setup
set-up = Set up your second factor
set-up-line = Scan this with an authenticator app, then enter the code that the app shows.
show-secret = Show the secret instead
open-in-app = Open in an app on this device
save-codes = Save your recovery codes
save-codes-line = If your phone is lost, each of these lets you in once, in place of the app’s code. They are never shown again.
save-the-code-line = If your phone is lost, this code lets you in once, and turns your second factor off. It is never shown again.
programs = Programs that can show no page, such as for files, calendars or mail, need an app password from then on.
codes-are-saved = I have saved them where I find them without my phone
turn-on = Turn the second factor on
copy = Copy
copied = Copied
download = Download
print = Print
needed = Second factor needed
needed-ask = This account must have a second factor and has none. To set one up you need a one-time code; ask the administrator for it.
needed-ask-one-of = This account must have a second factor and has none. To set one up you need a one-time code; ask an administrator ({ $administrators }) for it.
group = group { $name }
sign-in-as-other = Sign in as someone else
no-one-time-code = That is no one-time code: it begins with P- and has 12 characters more.
setup-over = That setup is over, or the account has changed meanwhile. Nothing was changed; sign in and begin anew.

# critical acts
fresh-code-needed-line = This takes your password and a fresh code.
lost-phone = Have you lost your phone?
lost-phone-line = For a quarter of an hour you may set up a new authenticator in place of the old one, or turn the second factor off.
set-up-new = Set up a new authenticator
turn-off = Turn the second factor off
turned-off = Second factor off
turned-off-line = Your second factor is off. Every other session and trusted browser has ended.
is-required = This account must have a second factor: set up a new one instead.
is-declared = The administrator keeps this second factor in a file; only they can change it.
not-done = That did not work, or it is off already. Tell the administrator: the gate’s log says why.

# the account
account = Your account
to-account = To your account
cancel = Cancel
not-done-title = Not done
second-factor = Second factor
on = On
on-since = On since { $since }
is-off = Off: your password alone lets you in.
by-the-administrator = Set up by the administrator
last-used = last used { $at }
not-used-yet = not used yet
remove = Remove
remove-named = Remove { $name }
recovery-codes = Recovery codes
codes-left-here = { $left ->
    [0] None is left: without your phone nothing lets you in.
    [one] { $left } is left.
   *[other] { $left } are left.
  }
mailed-codes = Codes by mail
codes-go-to = Codes are mailed to { $to } when you ask for one.
no-codes-are-mailed = No codes are mailed to you.
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
show-sign-ins = Show them
own-password-label = Your password
fresh-code-label = A new code

# turning on and off
turn-on-line = With a second factor your password alone lets nobody in: at each sign-in an app on your phone shows a code as well.
already-on = There is a second factor already.
not-on = There is no second factor.
turn-off-line = Your password alone will let you in, here and at every other door. The secret is deleted, and every other session and trusted browser ends.
replace = Replace the authenticator
set-up-new-line = For a new phone, or one that was lost. The old one works until the new one is confirmed; then every other session and trusted browser ends.

# authenticators
add-authenticator = Add an authenticator
add-authenticator-line = A second phone, or a hardware token. Each one works alone.
authenticator-name-label = A name, such as “tablet”
hardware-token = It is a hardware token
seed-label = Its seed, in hex or Base32
moves-label = A new code comes
every-seconds = every { $seconds } seconds
at-each-press = at each press of its button
digits-label = Digits
algorithm-label = Algorithm
added = Authenticator added
added-line = It is live at every door. Every other session and trusted browser has ended.
remove-authenticator = Remove an authenticator
remove-authenticator-line = Codes of “{ $name }” open nothing any more, and every other session and trusted browser ends.
removed = Authenticator removed
removed-line = Its codes open nothing any more. Every other session and trusted browser has ended.
last-authenticator = That is the only authenticator: add another first, or turn the second factor off.
secret-was-here = This secret was here before, and that code opened a door then: begin anew with the next code.
no-such-token = Such a token cannot be: { $why }

# recovery codes
new-codes = Make new recovery codes
new-codes-line = The codes that you have now open nothing any more as soon as you say that the new ones are saved.
use-these = Use these from now on
codes-renewed = New recovery codes
codes-renewed-line = They are in force; the old ones open nothing any more.

# app passwords
app-passwords = App passwords
app-passwords-line = For programs that can show no page, such as for files, calendars or mail. Each is good at the places that you name and nowhere else, and never for this account’s own pages.
app-passwords-count = { $count ->
    [0] There is none.
    [one] There is { $count }.
   *[other] There are { $count }.
  }
manage-app-passwords = Manage them
ends = ends { $at }
rename = Rename
new-name-label = New name
revoke = Revoke
revoke-named = Revoke { $name }
new-app-password = A new one
app-password-name-label = What it is for, such as “calendar on the phone”
scope-label = Where it is good
scope-hint = A name from the list, web:HOST/PATH, or pam:SERVICE.
life-label = For
days = { $days ->
    [one] { $days } day
   *[other] { $days } days
  }
without-end = ever
make-app-password = Make it
app-password-shown = Enter these in the program. The password is never shown again.
have-it = I have it
no-scope = That names no place: { $why }
no-such-scope = There is no scope { $name }.
scope-of-gate = An app password opens none of the gate’s own pages: name the application’s host.
past = It would have ended already.

# mailed codes
code-was-mailed = A code was mailed to { $to }. Once you have entered it here, codes go there.
confirm-address = Confirm the address
new-address = A new address
address-label = Address
mail-me-a-code = Mail a code there
remove-address = Mail no codes any more
remove-address-line = No more codes are mailed to you, and every other session and trusted browser ends. If they are your only second factor, your password alone will let you in.
address-on = Address confirmed
address-on-line = From now on codes are mailed there when you ask for one. Every other session and trusted browser has ended.
address-off = No more codes by mail
address-off-line = No codes are mailed any more; your authenticators go on working.
no-address = That is no address.
mail-is-off = No mail is sent from here.
address-not-mailed = The code could not be mailed there. Look at the address, or try again; if it stays so, tell the administrator.
nothing-to-confirm = There is no address to confirm: have a new code mailed.

# the password
change-password = Change your password
change-password-line = Every other session and trusted browser ends.
new-password-label = New password
again-label = Once more
passwords-differ = The two differ; nothing was changed.
password-changed = Password changed
password-changed-line = Every other session and trusted browser has ended.
password-too-short = A password has { $least } characters and more.
password-too-long = A password has 1024 bytes at most.
no-password-here = Your password is not kept here.
wrong-password = That password is wrong.

# sessions and browsers
sessions = Sessions
this-session = This one
seen = { $from }; since { $created }, last seen { $seen }
end = End
end-named = End the session in { $name }
sign-out-everywhere = Sign out everywhere
trusted-browsers = Trusted browsers
no-trusted-browser = None: a code is asked for at every sign-in.
forget = Forget
forget-named = Trust { $name } no longer
forget-all = Trust none any longer
open-connections = What is open, such as a chat or a shell in a page, goes on until it closes.

# why an act was refused
no-account = There is no such account.
name-taken = There is one of that name already.
gone = It is gone already.
too-many = There are { $most } already, and there may not be more.
too-many-app-passwords = There are as many as there may be: revoke one first.
no-label = A name has 1 to 64 characters.
stale = That took too long, or the account has changed meanwhile. Nothing was changed; begin anew.

# why an answer was refused, and what to do
wrong = That code is wrong
used-now = That code was used already; take the one shown now
used = That code was used already; wait { $wait } for the next one
behind = That code is too old: your device’s clock is behind by about { $by }; set it to the network’s time
clock-set-back = This host’s clock stands before your last sign-in; ask the administrator
delayed = Too many wrong codes: wait { $wait }, or enter a recovery code
address-delayed = Too many attempts from your address: wait { $wait }
locked = Locked after too many wrong codes: enter a recovery code, or ask the administrator
unfit = That is no code: enter the digits your app shows, or a recovery code
other-spelling = This name is another spelling of an account that there is. Sign in under the account's own name, or ask the administrator.
not-enrolled = This account needs a second factor and has none; ask the administrator
code-expired = That code’s time is over; ask for a new one
sign-in-expired = That sign-in is over; begin anew
no-mail = No codes are mailed to this account; enter another kind of code
mail-cooldown = A code was mailed just now; wait { $wait } before you ask for another
mail-waits = The mail waits, since no mail is sent at the moment; it goes out when that works again. Use another way, or tell the administrator.
not-mailed = The code could not be mailed. Enter another kind of code, or try again; if it stays so, tell the administrator.

# what happened, told at a sign-in
missed = { $count ->
    [one] { $count } wrong code
   *[other] { $count } wrong codes
  } since your last sign-in, last from { $from }
this-host = this host
recovery-turned-off = That recovery code turned your second factor off; set it up anew
codes-left = { $left ->
    [0] That was your last recovery code; ask the administrator for new ones
    [one] { $left } recovery code is left
   *[other] { $left } recovery codes are left
  }
app-passwords-kept = { $count ->
    [one] { $count } app password
   *[other] { $count } app passwords
  } kept: what has them goes on working
app-passwords-revoked = { $count ->
    [one] { $count } app password
   *[other] { $count } app passwords
  } revoked: make new ones

# when nothing works
busy = Busy
busy-line = Too many people are signing in right now. Try again in a moment.
busy-own-line = Too many requests came from where you are, all at once. Try again in a moment.
out-of-order = Out of order
out-of-order-line = The sign-in does not work right now. Tell the administrator: the gate’s log says why.

# to programs
no-endpoint = There is nothing of that name; api/v1/openapi.json lists what there is.
no-method = That can be done in another way only; the header Allow says how.
foreign-origin = This comes from a page of another site.
no-json = This takes JSON, with Content-Type: application/json.
malformed = That is no JSON object, or one where none belongs.
not-of-that-form = The JSON has not the form that api/v1/openapi.json describes, at column { $column }.
too-large = That is longer than 16 KiB.
too-slow = That took longer than 10 seconds to arrive.
no-proof-is-kept = The gate shares its host with an application here, and keeps no proof: give it with each act.
no-seed = Digits, algorithm, period and counter go with a seed; for an app they are the gate’s.
no-moment = The end lies too far ahead.

# administration
administration = Administration
admin-find-label = Name, or a part of it
admin-find = Find
admin-accounts = Accounts
admin-nobody = Nobody is called that.
admin-more = There are more: give a longer part of the name.
admin-locked = locked after too many wrong codes
admin-off = Off
admin-none = There is nothing.
admin-trusted = (trusted)
admin-last-sign-in = Last sign-in with a code { $at }
admin-codes-left = { $left ->
    [one] { $left } recovery code is left.
   *[other] { $left } recovery codes are left.
  }
admin-code-until = A one-time code is good until { $until }.
admin-account = Account: { $name }
admin-events = What happened
admin-all-events = What happened to all accounts
admin-event = { $at }, through { $door }, from { $from }, by { $by }
admin-older = Older
admin-unlock = Lift delays and locks
admin-unlock-line = Wrong codes so far are forgiven, everywhere.
admin-mend-clock = Mend after a clock that ran ahead
admin-mend-clock-line = Codes are accepted again after the host’s clock was set back. Nothing is changed where it was not.
admin-end-sessions = End every session
admin-forget-browsers-line = A code is asked for at the next sign-in in each of them.
admin-issue-code = Issue a one-time code
admin-issue-code-line = It lets the person in once within 48 hours, in place of the app’s code, and is shown once. An older one opens no more. See that you give it to the right person.
admin-cancel-code = Take the one-time code back
admin-cancel-code-line = It opens nothing any more.
admin-disable-line = The password alone will let this person in, at every door, unless the policy asks for more. The secret and the recovery codes are deleted, and every session and trusted browser ends.
admin-is-off = The second factor is off; the secret and the recovery codes are gone.
admin-still-required = The policy requires one: a one-time code lets them set up the next.
admin-done = Done.
admin-many = { $count ->
    [0] There was nothing to change.
    [one] Done, for { $count }.
   *[other] Done, for { $count }.
  }
admin-code-shown = Good once, until { $until }. It is not shown again.
admin-own-account = This is your own account: your own page changes it.
admin-needs-factor = Administration takes a second factor of your own: set one up first.
