# Deutsch

continue = Weiter
sign-out = Abmelden
one-time-code-label = Einmalcode
app-code-label = Der Code aus Ihrer App

sign-in = Anmelden
name-label = Name
password-label = Passwort
recovery-along = Auch einen Wiederherstellungs- oder Einmalcode eingeben
recovery-label = Wiederherstellungs- oder Einmalcode
not-signed-in = Abgemeldet
not-signed-in-line = Sie sind nicht angemeldet.
refresh-token-used = Dieses Refresh-Token wurde schon benutzt, vielleicht hat es noch jemand. Die Sitzung ist beendet; bitte neu anmelden.
signed-out = Abgemeldet
signed-out-line = Sie sind hier abgemeldet.
sign-out-unread = Dieser Browser hat keine lesbare Anmeldung gesendet, daher wurde hier keine beendet. Seine Cookies wurden entfernt.
sign-out-left = Die Cookies dieses Browsers wurden entfernt, aber die Anmeldung konnte auf dem Server nicht beendet werden: { $which }. Wer eine Kopie des Cookies hat, kann sie bis zu ihrem Ablauf benutzen. Beenden Sie sie später unter „Sitzungen und Browser“, oder sagen Sie der Verwaltung Bescheid.
cookies = Cookies, die nicht zusammenpassen
cookies-line = Dieser Browser sendet die Cookies mehrerer Anmeldungen oder zu viele, sodass unklar ist, welche Anmeldung gilt. Eine Seite auf einem anderen Host dieser Domain kann sie gesetzt haben.
cookies-clear = Cookies entfernen
cookies-cleared = Die Cookies dieser Domain wurden entfernt. Bitte neu anmelden. Wenn diese Seite wiederkommt, sagen Sie der Verwaltung Bescheid.
not-covered = Für diese Adresse kann sich niemand anmelden
not-covered-line = Eine Anmeldung hier gilt nicht für die Anwendung { $host }.
not-covered-ask = Sagen Sie der Verwaltung Bescheid: Im Protokoll des Gates steht, welche Einstellung zu ändern ist.
signed-in = Angemeldet
refused-before-code = Name oder Passwort ist falsch, oder es waren zu viele Versuche. Prüfen Sie beides, warten Sie etwas und versuchen Sie es noch einmal.
nobody-is-named = Hier ist niemand genannt
nobody-is-named-line = Der Server vor dieser Seite soll sagen, wer Sie sind, und hat es nicht getan. Sagen Sie der Verwaltung Bescheid: Im Protokoll des Gates steht, warum.

code = Bestätigungscode
trust-browser = Diesem Browser { $days ->
    [one] einen Tag
   *[other] { $days } Tage
  } lang vertrauen
mailed-code-label = Der Code aus der E-Mail an Sie
app-or-mailed-code-label = Der Code aus Ihrer App oder aus einer E-Mail
mail-a-code = Code an { $to } mailen
enter-app-code = Einen Code aus der App eingeben
enter-mailed-code = Einen gemailten Code eingeben
enter-other-code = Einen anderen Code eingeben
begin-anew = Neu beginnen
code-mailed = Ein Code ist unterwegs an { $to }. Er gilt { $life }; ältere gelten nicht mehr.

set-up = Zweiten Faktor einrichten
set-up-line = Scannen Sie dies mit einer Authenticator-App und geben Sie dann den Code ein, den die App zeigt.
show-secret = Stattdessen das Geheimnis anzeigen
open-in-app = In einer App auf diesem Gerät öffnen
save-codes = Wiederherstellungscodes sichern
save-codes-line = Wenn Ihr Telefon verloren geht, lässt jeder dieser Codes Sie einmal herein, anstelle des Codes aus der App. Sie werden nie wieder angezeigt.
save-the-code-line = Wenn Ihr Telefon verloren geht, lässt dieser Code Sie einmal herein und schaltet Ihren zweiten Faktor ab. Er wird nie wieder angezeigt.
programs = Programme, die keine Seite anzeigen können, etwa für Dateien, Kalender oder Mail, brauchen von da an ein App-Passwort.
codes-are-saved = Ich habe sie gesichert, wo ich sie ohne mein Telefon finde
turn-on = Zweiten Faktor einschalten
copy = Kopieren
copied = Kopiert
download = Herunterladen
print = Drucken
needed = Zweiter Faktor nötig
needed-ask = Dieses Konto muss einen zweiten Faktor haben und hat keinen. Um einen einzurichten, brauchen Sie einen Einmalcode; bitten Sie die Verwaltung darum.
needed-ask-one-of = Dieses Konto muss einen zweiten Faktor haben und hat keinen. Um einen einzurichten, brauchen Sie einen Einmalcode; bitten Sie jemanden aus der Verwaltung ({ $administrators }) darum.
group = Gruppe { $name }
sign-in-as-other = Mit einem anderen Namen anmelden
no-one-time-code = Das ist kein Einmalcode: Er beginnt mit P- und hat 12 weitere Zeichen.
setup-over = Diese Einrichtung ist vorbei, oder das Konto hat sich inzwischen geändert. Nichts wurde geändert; melden Sie sich an und beginnen Sie neu.

fresh-code-needed-line = Dafür braucht es Ihr Passwort und einen frischen Code.
lost-phone = Haben Sie Ihr Telefon verloren?
lost-phone-line = Eine Viertelstunde lang können Sie einen neuen Authenticator anstelle des alten einrichten oder den zweiten Faktor abschalten.
set-up-new = Neuen Authenticator einrichten
turn-off = Zweiten Faktor abschalten
turned-off = Zweiter Faktor aus
turned-off-line = Ihr zweiter Faktor ist aus. Jede andere Sitzung und jeder vertraute Browser ist beendet.
is-required = Dieses Konto muss einen zweiten Faktor haben: Richten Sie stattdessen einen neuen ein.
is-declared = Die Verwaltung hält diesen zweiten Faktor in einer Datei; nur sie kann ihn ändern.
not-done = Das hat nicht geklappt, oder es ist schon aus. Sagen Sie der Verwaltung Bescheid: Im Protokoll des Gates steht, warum.

account = Ihr Konto
to-account = Zu Ihrem Konto
cancel = Abbrechen
not-done-title = Nicht geschehen
second-factor = Zweiter Faktor
on = Ein
on-since = Ein seit { $since }
is-off = Aus: Ihr Passwort allein lässt Sie herein.
by-the-administrator = Von der Verwaltung eingerichtet
last-used = zuletzt benutzt { $at }
not-used-yet = noch nicht benutzt
remove = Entfernen
remove-named = { $name } entfernen
recovery-codes = Wiederherstellungscodes
codes-left-here = { $left ->
    [0] Keiner ist übrig: Ohne Ihr Telefon lässt nichts Sie herein.
    [one] { $left } ist übrig.
   *[other] { $left } sind übrig.
  }
mailed-codes = Codes per E-Mail
codes-go-to = Wenn Sie einen verlangen, werden Codes an { $to } gemailt.
no-codes-are-mailed = An Sie werden keine Codes gemailt.
change-address = Adresse ändern
sign-ins = Sitzungen und Browser
sign-ins-count = { $sessions ->
    [one] { $sessions } Sitzung
   *[other] { $sessions } Sitzungen
  }, { $browsers ->
    [0] kein vertrauter Browser
    [one] { $browsers } vertrauter Browser
   *[other] { $browsers } vertraute Browser
  }
show-sign-ins = Anzeigen
own-password-label = Ihr Passwort
fresh-code-label = Ein neuer Code

turn-on-line = Mit einem zweiten Faktor lässt Ihr Passwort allein niemanden herein: Bei jeder Anmeldung zeigt eine App auf Ihrem Telefon dazu einen Code.
already-on = Es gibt schon einen zweiten Faktor.
not-on = Es gibt keinen zweiten Faktor.
turn-off-line = Ihr Passwort allein wird Sie hereinlassen, hier und an jeder anderen Tür. Das Geheimnis wird gelöscht, und jede andere Sitzung und jeder vertraute Browser endet.
replace = Authenticator ersetzen
set-up-new-line = Für ein neues Telefon oder ein verlorenes. Das alte gilt, bis das neue bestätigt ist; dann endet jede andere Sitzung und jeder vertraute Browser.

add-authenticator = Authenticator hinzufügen
add-authenticator-line = Ein zweites Telefon oder ein Hardware-Token. Jeder gilt für sich allein.
authenticator-name-label = Ein Name, etwa „Tablet“
hardware-token = Es ist ein Hardware-Token
seed-label = Sein Geheimnis, hexadezimal oder in Base32
moves-label = Ein neuer Code kommt
every-seconds = alle { $seconds } Sekunden
at-each-press = bei jedem Druck auf den Knopf
digits-label = Ziffern
algorithm-label = Algorithmus
added = Authenticator hinzugefügt
added-line = Er gilt an jeder Tür. Jede andere Sitzung und jeder vertraute Browser ist beendet.
remove-authenticator = Authenticator entfernen
remove-authenticator-line = Codes von „{ $name }“ öffnen dann nichts mehr, und jede andere Sitzung und jeder vertraute Browser endet.
removed = Authenticator entfernt
removed-line = Seine Codes öffnen nichts mehr. Jede andere Sitzung und jeder vertraute Browser ist beendet.
last-authenticator = Das ist der einzige Authenticator: Fügen Sie erst einen anderen hinzu, oder schalten Sie den zweiten Faktor ab.
secret-was-here = Dieses Geheimnis war schon einmal hier, und dieser Code hat damals geöffnet: Beginnen Sie mit dem nächsten Code neu.
no-such-token = So ein Token kann es nicht geben: { $why }

new-codes = Neue Wiederherstellungscodes
new-codes-line = Die Codes, die Sie jetzt haben, öffnen nichts mehr, sobald Sie sagen, dass die neuen gesichert sind.
use-these = Von jetzt an diese verwenden
codes-renewed = Neue Wiederherstellungscodes
codes-renewed-line = Sie gelten; die alten öffnen nichts mehr.

app-passwords = App-Passwörter
app-passwords-line = Für Programme, die keine Seite anzeigen können, etwa für Dateien, Kalender oder Mail. Jedes gilt an den Orten, die Sie nennen, und sonst nirgends, und nie für die Seiten dieses Kontos.
app-passwords-count = { $count ->
    [0] Es gibt keines.
    [one] Es gibt { $count }.
   *[other] Es gibt { $count }.
  }
manage-app-passwords = Verwalten
ends = endet { $at }
rename = Umbenennen
new-name-label = Neuer Name
revoke = Widerrufen
revoke-named = { $name } widerrufen
new-app-password = Ein neues
app-password-name-label = Wofür es ist, etwa „Kalender auf dem Telefon“
scope-label = Wo es gilt
scope-hint = Ein Name aus der Liste, web:HOST/PFAD oder pam:DIENST.
life-label = Für
days = { $days ->
    [one] { $days } Tag
   *[other] { $days } Tage
  }
without-end = immer
make-app-password = Anlegen
app-password-shown = Geben Sie dies in das Programm ein. Das Passwort wird nie wieder angezeigt.
have-it = Ich habe es
no-scope = Das nennt keinen Ort: { $why }
no-such-scope = Es gibt keinen Bereich { $name }.
scope-of-gate = Ein App-Passwort öffnet keine der Seiten des Gates: Nennen Sie den Host der Anwendung.
past = Es wäre schon zu Ende.

code-was-mailed = Ein Code wurde an { $to } gemailt. Wenn Sie ihn hier eingegeben haben, gehen Codes dorthin.
confirm-address = Adresse bestätigen
new-address = Eine neue Adresse
address-label = Adresse
mail-me-a-code = Einen Code dorthin mailen
remove-address = Keine Codes mehr mailen
remove-address-line = An Sie werden keine Codes mehr gemailt, und jede andere Sitzung und jeder vertraute Browser endet. Wenn das Ihr einziger zweiter Faktor ist, lässt Ihr Passwort allein Sie herein.
address-on = Adresse bestätigt
address-on-line = Von jetzt an werden Codes dorthin gemailt, wenn Sie einen verlangen. Jede andere Sitzung und jeder vertraute Browser ist beendet.
address-off = Keine Codes mehr per E-Mail
address-off-line = Es werden keine Codes mehr gemailt; Ihre Authenticatoren gelten weiter.
no-address = Das ist keine Adresse.
mail-is-off = Von hier wird keine E-Mail verschickt.
address-not-mailed = Der Code konnte nicht dorthin gemailt werden. Prüfen Sie die Adresse oder versuchen Sie es noch einmal; wenn es so bleibt, sagen Sie der Verwaltung Bescheid.
nothing-to-confirm = Es gibt keine Adresse zu bestätigen: Lassen Sie sich einen neuen Code mailen.

change-password = Passwort ändern
change-password-line = Jede andere Sitzung und jeder vertraute Browser endet.
new-password-label = Neues Passwort
again-label = Noch einmal
passwords-differ = Die beiden sind verschieden; nichts wurde geändert.
password-changed = Passwort geändert
password-changed-line = Jede andere Sitzung und jeder vertraute Browser ist beendet.
password-too-short = Ein Passwort hat mindestens { $least } Zeichen.
password-too-long = Ein Passwort hat höchstens 1024 Byte.
no-password-here = Ihr Passwort liegt nicht hier.
wrong-password = Dieses Passwort ist falsch.

sessions = Sitzungen
this-session = Diese hier
seen = { $from }; seit { $created }, zuletzt gesehen { $seen }
end = Beenden
end-named = Sitzung in { $name } beenden
sign-out-everywhere = Überall abmelden
trusted-browsers = Vertraute Browser
no-trusted-browser = Keiner: Bei jeder Anmeldung wird ein Code verlangt.
forget = Vergessen
forget-named = { $name } nicht mehr vertrauen
forget-all = Keinem mehr vertrauen
open-connections = Was offen ist, etwa ein Chat oder eine Shell in einer Seite, geht weiter, bis es sich schließt.

no-account = Es gibt kein solches Konto.
name-taken = Es gibt schon eines mit diesem Namen.
gone = Es ist schon weg.
too-many = Es gibt schon { $most }, und mehr darf es nicht geben.
too-many-app-passwords = Es gibt so viele, wie es geben darf: Widerrufen Sie erst eines.
no-label = Ein Name hat 1 bis 64 Zeichen.
stale = Das hat zu lange gedauert, oder das Konto hat sich inzwischen geändert. Nichts wurde geändert; beginnen Sie neu.

wrong = Dieser Code ist falsch
used-now = Dieser Code wurde schon benutzt; nehmen Sie den, der jetzt angezeigt wird
used = Dieser Code wurde schon benutzt; warten Sie { $wait } auf den nächsten
behind = Dieser Code ist zu alt: Die Uhr Ihres Geräts geht etwa { $by } nach; stellen Sie sie nach der Netzwerkzeit
clock-set-back = Die Uhr dieses Servers steht vor Ihrer letzten Anmeldung; fragen Sie die Verwaltung
delayed = Zu viele falsche Codes: Warten Sie { $wait } oder geben Sie einen Wiederherstellungscode ein
address-delayed = Zu viele Versuche von Ihrer Adresse: Warten Sie { $wait }
locked = Gesperrt nach zu vielen falschen Codes: Geben Sie einen Wiederherstellungscode ein oder fragen Sie die Verwaltung
unfit = Das ist kein Code: Geben Sie die Ziffern aus Ihrer App oder einen Wiederherstellungscode ein
other-spelling = Dieser Name ist eine andere Schreibweise eines vorhandenen Kontos. Melden Sie sich unter dem Namen des Kontos an, oder fragen Sie die Verwaltung.
not-enrolled = Dieses Konto braucht einen zweiten Faktor und hat keinen; fragen Sie die Verwaltung
code-expired = Die Zeit dieses Codes ist um; fordern Sie einen neuen an
sign-in-expired = Diese Anmeldung ist vorbei; beginnen Sie neu
no-mail = An dieses Konto werden keine Codes gemailt; geben Sie einen anderen Code ein
mail-cooldown = Eben wurde ein Code gemailt; warten Sie { $wait }, bevor Sie einen weiteren anfordern
mail-waits = Die E-Mail wartet, denn zurzeit wird keine verschickt; sie geht hinaus, sobald das wieder möglich ist. Nehmen Sie einen anderen Weg oder sagen Sie der Verwaltung Bescheid.
not-mailed = Der Code konnte nicht gemailt werden. Geben Sie einen anderen Code ein oder versuchen Sie es noch einmal; wenn es so bleibt, sagen Sie der Verwaltung Bescheid.

missed = { $count ->
    [one] { $count } falscher Code
   *[other] { $count } falsche Codes
  } seit Ihrer letzten Anmeldung, zuletzt von { $from }
this-host = diesem Server
recovery-turned-off = Dieser Wiederherstellungscode hat Ihren zweiten Faktor abgeschaltet; richten Sie ihn neu ein
codes-left = { $left ->
    [0] Das war Ihr letzter Wiederherstellungscode; bitten Sie die Verwaltung um neue
    [one] { $left } Wiederherstellungscode ist übrig
   *[other] { $left } Wiederherstellungscodes sind übrig
  }
app-passwords-kept = { $count ->
    [one] { $count } App-Passwort bleibt
   *[other] { $count } App-Passwörter bleiben
  }: Was sie hat, geht weiter
app-passwords-revoked = { $count ->
    [one] { $count } App-Passwort widerrufen
   *[other] { $count } App-Passwörter widerrufen
  }: Legen Sie neue an

busy = Viel Betrieb
busy-line = Gerade melden sich zu viele an. Versuchen Sie es gleich noch einmal.
busy-own-line = Von Ihrem Anschluss kamen zu viele Anfragen auf einmal. Versuchen Sie es gleich noch einmal.
out-of-order = Außer Betrieb
out-of-order-line = Die Anmeldung geht gerade nicht. Sagen Sie der Verwaltung Bescheid: Im Protokoll des Gates steht, warum.

# to programs
no-endpoint = So heißt hier nichts; was es gibt, steht in api/v1/openapi.json.
no-method = Das geht nur auf andere Weise; welche, sagt der Header Allow.
foreign-origin = Das kommt von einer Seite eines anderen Anbieters.
no-json = Hier wird JSON erwartet, mit Content-Type: application/json.
malformed = Das ist kein JSON-Objekt, oder es gehört keines hierher.
not-of-that-form = Das JSON hat nicht die Form, die api/v1/openapi.json beschreibt (Spalte { $column }).
too-large = Das ist länger als 16 KiB.
too-slow = Das war nach 10 Sekunden noch nicht angekommen.
no-proof-is-kept = Das Gate teilt sich den Host hier mit einer Anwendung und behält keinen Nachweis: Geben Sie ihn mit jeder Änderung an.
no-seed = Stellen, Verfahren, Zeitschritt und Zähler gehören zu einem Startwert; für eine App gibt sie das Gate vor.
no-moment = Das Ende liegt zu weit in der Zukunft.

# Verwaltung
administration = Verwaltung
admin-find-label = Name oder ein Teil davon
admin-find = Suchen
admin-accounts = Konten
admin-nobody = Niemand heißt so.
admin-more = Es gibt mehr: Geben Sie einen längeren Teil des Namens an.
admin-locked = nach zu vielen falschen Codes gesperrt
admin-off = Aus
admin-none = Es gibt nichts.
admin-trusted = (vertraut)
admin-last-sign-in = Letzte Anmeldung mit Code { $at }
admin-codes-left = { $left ->
    [one] { $left } Wiederherstellungscode ist übrig.
   *[other] { $left } Wiederherstellungscodes sind übrig.
  }
admin-code-until = Ein Einmalcode gilt bis { $until }.
admin-account = Konto: { $name }
admin-events = Was geschah
admin-all-events = Was bei allen Konten geschah
admin-event = { $at }, über { $door }, von { $from }, durch { $by }
admin-older = Ältere
admin-unlock = Wartezeiten und Sperren aufheben
admin-unlock-line = Bisherige falsche Codes sind überall verziehen.
admin-mend-clock = Nach einer vorgegangenen Uhr berichtigen
admin-mend-clock-line = Codes gelten wieder, nachdem die Uhr des Rechners zurückgestellt wurde. Wo sie das nicht wurde, ändert sich nichts.
admin-end-sessions = Alle Sitzungen beenden
admin-forget-browsers-line = In jedem davon wird bei der nächsten Anmeldung nach einem Code gefragt.
admin-issue-code = Einmalcode ausstellen
admin-issue-code-line = Er lässt die Person innerhalb von 48 Stunden einmal ein, anstelle des Codes der App, und wird einmal gezeigt. Ein älterer gilt dann nicht mehr. Achten Sie darauf, dass ihn die richtige Person bekommt.
admin-cancel-code = Einmalcode zurücknehmen
admin-cancel-code-line = Er öffnet nichts mehr.
admin-disable-line = Das Passwort allein lässt diese Person dann überall ein, sofern die Richtlinie nicht mehr verlangt. Das Geheimnis und die Wiederherstellungscodes werden gelöscht, alle Sitzungen und vertrauten Browser enden.
admin-is-off = Der zweite Faktor ist aus; das Geheimnis und die Wiederherstellungscodes sind gelöscht.
admin-still-required = Die Richtlinie verlangt einen: Mit einem Einmalcode kann der nächste eingerichtet werden.
admin-done = Erledigt.
admin-many = { $count ->
    [0] Es gab nichts zu ändern.
    [one] Erledigt, für { $count }.
   *[other] Erledigt, für { $count }.
  }
admin-code-shown = Einmal gültig, bis { $until }. Er wird nicht noch einmal gezeigt.
admin-own-account = Das ist Ihr eigenes Konto: Ändern Sie es auf Ihrer eigenen Seite.
admin-needs-factor = Für die Verwaltung brauchen Sie selbst einen zweiten Faktor: Richten Sie zuerst einen ein.
