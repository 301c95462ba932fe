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
signed-out = Signed out
signed-out-line = You are signed out here.
signed-in = Signed in
signed-in-line = You are signed in as { $name }.
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
fresh-code-needed = A fresh code is needed
fresh-code-needed-line = This takes a fresh code: sign out, and sign in with a recovery code or an administrator’s one-time code.
lost-phone = Have you lost your phone?
lost-phone-line = For a quarter of an hour you may set up a new authenticator in place of the old one, or turn the second factor off.
set-up-new = Set up a new authenticator
turn-off = Turn the second factor off
not-turned-off = Not turned off
turned-off = Second factor off
turned-off-line = Your second factor is off. Every session and trusted browser has ended.
is-required = This account must have a second factor: set up a new one instead.
is-declared = The administrator keeps this second factor in a file; only they can change it.
not-done = That did not work, or it is off already. Tell the administrator: the gate’s log says why.

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
not-enrolled = This account needs a second factor and has none; ask the administrator
code-expired = That code’s time is over; ask for a new one
sign-in-expired = That sign-in is over; begin anew
no-mail = No codes are mailed to this account; enter another kind of code
mail-cooldown = A code was mailed just now; wait { $wait } before you ask for another
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
out-of-order = Out of order
out-of-order-line = The sign-in does not work right now. Tell the administrator: the gate’s log says why.
