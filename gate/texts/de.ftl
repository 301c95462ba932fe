# German

continue = Weiter
sign-out = Abmelden
one-time-code-label = Einmalcode
app-code-label = Der Code aus Ihrer App
language = Sprache
language-name = Deutsch
signed-in-as = Angemeldet als { $name }

time-now = gerade eben
time-minutes = { $count ->
    [one] vor { $count } Minute
   *[other] vor { $count } Minuten
  }
time-hours = { $count ->
    [one] vor { $count } Stunde
   *[other] vor { $count } Stunden
  }
time-days = { $count ->
    [one] vor { $count } Tag
   *[other] vor { $count } Tagen
  }
time-today = heute { $time }
time-tomorrow = morgen { $time }
time-yesterday = gestern { $time }

sign-in = Anmelden
name-label = Name
password-label = Passwort
to-application = Weiter zu { $host }
address-too-long = Die aufgerufene Adresse ist zu lang, um hier gespeichert zu werden. Nach der Anmeldung gelangen Sie zur Startseite der Anwendung; rufen Sie die Adresse dort noch einmal auf.
sign-in-recovery = Auch einen Wiederherstellungscode oder Einmalcode eingeben
recovery-label = Wiederherstellungscode oder Einmalcode
not-signed-in = Abgemeldet
not-signed-in-line = Sie sind nicht angemeldet.
refresh-token-used = Dieses Refresh-Token wurde bereits verwendet; möglicherweise hat jemand anders eine Kopie. Die Sitzung ist beendet; melden Sie sich erneut an.
signed-out = Abgemeldet
signed-out-line = Sie sind in diesem Browser abgemeldet.
no-session-to-end = Dieser Browser hat keine gültige Sitzung gesendet, daher wurde keine beendet. Seine Cookies wurden entfernt.
session-not-ended = Die Cookies dieses Browsers wurden entfernt, aber die Sitzung konnte auf dem Server nicht beendet werden: { $sessions }. Wer eine Kopie des Cookies hat, kann die Sitzung bis zu ihrem Ablauf verwenden. Beenden Sie sie später unter „Sitzungen und Browser“, oder benachrichtigen Sie die Administration.
cookies = Widersprüchliche Cookies
cookies-line = Dieser Browser sendet die Cookies mehrerer Sitzungen oder zu viele Cookies, sodass unklar ist, welche Sitzung gilt. Möglicherweise hat eine Seite auf einem anderen Host dieser Domain sie gesetzt.
cookies-remove = Cookies entfernen
cookies-removed = Die Cookies dieser Domain wurden entfernt. Melden Sie sich erneut an. Wenn diese Seite wieder erscheint, benachrichtigen Sie die Administration.
not-covered = Für diese Adresse ist keine Anmeldung möglich
not-covered-line = Eine Anmeldung hier gilt nicht für die Anwendung { $host }.
not-covered-ask = Benachrichtigen Sie die Administration: Im Protokoll des Gates steht, welche Einstellung zu ändern ist.
try-again = Noch einmal versuchen
denied = Zugriff verweigert
denied-user = Sie sind als { $name } angemeldet. Dieses Konto darf diese Seite von { $host } nicht öffnen.
denied-line = Diese Seite von { $host } darf von hier aus niemand öffnen.
denied-ask = Wenn Sie die Seite brauchen, wenden Sie sich an die Administration: Welche Regel gilt, steht im Protokoll des Gates.
page-not-found = Seite nicht gefunden
page-not-found-line = Diese Seite gibt es hier nicht, oder Sie dürfen sie nicht öffnen.
signed-in = Angemeldet
sign-in-refused = Name oder Passwort ist falsch, oder es gab zu viele Versuche. Prüfen Sie beides, warten Sie etwas und versuchen Sie es noch einmal.
identity-missing = Benutzername fehlt
identity-missing-line = Der Server vor dieser Seite muss Ihren Benutzernamen senden und hat es nicht getan. Benachrichtigen Sie die Administration: Im Protokoll des Gates steht der Grund.

code = Bestätigungscode
trust-browser = Diesem Browser { $days ->
    [one] einen Tag
   *[other] { $days } Tage
  } lang vertrauen
mailed-code-label = Der Code aus der E-Mail an Sie
app-or-mailed-code-label = Der Code aus Ihrer App oder aus einer E-Mail
mail-code = Code per E-Mail an { $to } senden
enter-app-code = Einen Code aus der App eingeben
enter-mailed-code = Einen Code aus einer E-Mail eingeben
enter-other-code = Einen anderen Code eingeben
code-for = Anmeldung als { $name }
not-you = Falsches Konto, oder ist die Anmeldung abgelaufen?
start-again = Neu beginnen
wait-left = Der nächste Versuch ist in { $seconds } s möglich.
wait-over = Sie können es jetzt noch einmal versuchen.

enroll = Zweiten Faktor einrichten
enroll-line = Scannen Sie dies mit einer Authenticator-App und geben Sie dann den Code ein, den die App anzeigt.
show-secret = Stattdessen das Geheimnis anzeigen
open-in-app = In einer App auf diesem Gerät öffnen
save-codes = Wiederherstellungscodes sichern
save-codes-line = Wenn Sie Ihr Telefon verlieren, können Sie sich mit jedem dieser Codes einmal anmelden, anstelle des Codes aus der App. Sie werden nicht noch einmal angezeigt.
save-code-line = Wenn Sie Ihr Telefon verlieren, können Sie sich mit diesem Code einmal anmelden; er schaltet Ihren zweiten Faktor ab. Er wird nicht noch einmal angezeigt.
app-password-needed = Programme, die keine Webseite anzeigen können, etwa für Dateien, Kalender oder E-Mail, brauchen dann ein App-Passwort.
codes-saved = Ich habe sie so gesichert, dass ich sie ohne mein Telefon finde
turn-on = Zweiten Faktor einschalten
copy = Kopieren
copied = Kopiert
copy-named = Kopieren: { $name }
download = Herunterladen
print = Drucken
enrollment-required = Zweiter Faktor erforderlich
enrollment-required-line = Dieses Konto muss einen zweiten Faktor haben und hat keinen. Um einen einzurichten, brauchen Sie einen Einmalcode; bitten Sie die Administration darum.
enrollment-required-one-of = Dieses Konto muss einen zweiten Faktor haben und hat keinen. Um einen einzurichten, brauchen Sie einen Einmalcode; bitten Sie jemanden aus der Administration ({ $administrators }) darum.
group = Gruppe { $name }
sign-in-other-name = Mit einem anderen Namen anmelden
one-time-code-invalid = Das ist kein Einmalcode: Ein Einmalcode beginnt mit P-, danach folgen 12 Zeichen.
enrollment-expired = Diese Einrichtung ist abgelaufen, oder das Konto wurde inzwischen geändert. Es wurde nichts geändert; melden Sie sich an und beginnen Sie neu.

step-up-required = Dafür sind Ihr Passwort und ein neuer Code erforderlich.
lost-phone = Haben Sie Ihr Telefon verloren?
lost-phone-line = In den nächsten 15 Minuten können Sie einen neuen Authenticator anstelle des alten einrichten oder den zweiten Faktor abschalten.
enroll-new = Neuen Authenticator einrichten
turn-off = Zweiten Faktor abschalten
turned-off = Zweiter Faktor abgeschaltet
turned-off-line = Ihr zweiter Faktor ist aus. Alle anderen Sitzungen und vertrauenswürdigen Browser wurden beendet.
turn-off-required = Dieses Konto muss einen zweiten Faktor haben: Richten Sie stattdessen einen neuen ein.
account-declared = Dieser zweite Faktor steht in einer Konfigurationsdatei; nur die Administration kann ihn ändern.
act-failed = Das hat nicht funktioniert, oder es ist schon aus. Benachrichtigen Sie die Administration: Im Protokoll des Gates steht der Grund.
act-failed-title = Nichts geändert

account = Ihr Konto
to-account = Zu Ihrem Konto
cancel = Abbrechen
second-factor = Zweiter Faktor
on = Ein
on-since = Eingeschaltet seit { $since }
second-factor-off = Aus: Zur Anmeldung genügt Ihr Passwort.
by-administrator = Von der Administration eingerichtet
last-used = zuletzt verwendet { $at }
not-used = noch nicht verwendet
remove = Entfernen
remove-named = { $name } entfernen
recovery-codes = Wiederherstellungscodes
recovery-codes-line = { $left ->
    [0] Es ist keiner übrig: Ohne Ihr Telefon können Sie sich nicht anmelden.
    [one] Es ist { $left } übrig.
   *[other] Es sind { $left } übrig.
  }
mailed-codes = Codes per E-Mail
mailed-codes-on = Codes werden an { $to } gesendet, wenn Sie einen anfordern.
mailed-codes-off = Sie erhalten keine Codes per E-Mail.
mail-notices = E-Mail
mail-notices-on = Was mit Ihrem Konto geschieht, wird an { $to } gemeldet.
mail-notices-off = Zu Ihrem Konto werden keine E-Mails gesendet.
change-address = Adresse ändern
sign-ins = Sitzungen und Browser
sign-ins-count = { $sessions ->
    [one] { $sessions } Sitzung
   *[other] { $sessions } Sitzungen
  }, { $browsers ->
    [0] kein vertrauenswürdiger Browser
    [one] { $browsers } vertrauenswürdiger Browser
   *[other] { $browsers } vertrauenswürdige Browser
  }
show-sign-ins = Sitzungen und Browser anzeigen
own-password-label = Ihr Passwort
new-code-label = Ein neuer Code
next-code = Sie haben gerade einen Code verwendet, und jeder Code gilt nur einmal. Ihre App zeigt den nächsten in { $seconds } s.
next-code-now = Ihre App zeigt jetzt einen neuen Code.
current-password-label = Ihr jetziges Passwort

turn-on-line = Mit einem zweiten Faktor genügt Ihr Passwort nicht mehr zur Anmeldung: Sie geben jedes Mal auch einen Code ein, den eine App auf Ihrem Telefon anzeigt.
already-enrolled = Dieses Konto hat schon einen zweiten Faktor.
no-second-factor = Dieses Konto hat keinen zweiten Faktor.
turn-off-line = Zur Anmeldung genügt dann Ihr Passwort, hier und bei jedem anderen Dienst. Das Geheimnis wird gelöscht, und alle anderen Sitzungen und vertrauenswürdigen Browser werden beendet.
replace = Authenticator ersetzen
enroll-new-line = Für ein neues Telefon oder nach einem Verlust. Der alte Authenticator gilt, bis der neue bestätigt ist; dann werden alle anderen Sitzungen und vertrauenswürdigen Browser beendet.

add-authenticator = Authenticator hinzufügen
add-authenticator-line = Ein zweites Telefon oder ein Hardware-Token. Jeder Authenticator gilt für sich allein.
authenticator-name-label = Ein Name, etwa „Tablet“
hardware-token = Dies ist ein Hardware-Token
seed-label = Sein Geheimnis, hexadezimal oder in Base32
code-change-label = Der Code wechselt
every-seconds = alle { $seconds } Sekunden
at-each-press = bei jedem Druck auf den Knopf
digits-label = Stellen
algorithm-label = Algorithmus
authenticator-added = Authenticator hinzugefügt
authenticator-added-line = Sie können ihn bei jeder Anmeldung verwenden. Alle anderen Sitzungen und vertrauenswürdigen Browser wurden beendet.
remove-authenticator = Authenticator entfernen
remove-authenticator-line = Codes von „{ $name }“ gelten dann nicht mehr, und alle anderen Sitzungen und vertrauenswürdigen Browser werden beendet.
authenticator-removed = Authenticator entfernt
authenticator-removed-line = Seine Codes gelten nicht mehr. Alle anderen Sitzungen und vertrauenswürdigen Browser wurden beendet.
last-authenticator = Dies ist der einzige Authenticator: Fügen Sie zuerst einen anderen hinzu, oder schalten Sie den zweiten Faktor ab.
secret-code-used = Dieses Geheimnis wurde hier schon einmal verwendet, und dieser Code wurde damals bereits akzeptiert: Beginnen Sie mit dem nächsten Code neu.
token-invalid = Diese Angaben zu einem Hardware-Token sind ungültig: { $why }

new-codes = Neue Wiederherstellungscodes erstellen
new-codes-line = Ihre jetzigen Codes gelten nicht mehr, sobald Sie bestätigen, dass die neuen gesichert sind.
use-new-codes = Ab jetzt diese Codes verwenden
codes-renewed = Neue Wiederherstellungscodes
codes-renewed-line = Die neuen Codes gelten; frühere Codes gelten nicht mehr.

app-passwords = App-Passwörter
app-passwords-line = Für Programme, die keine Webseite anzeigen können, etwa für Dateien, Kalender oder E-Mail. Jedes gilt nur dort, wo Sie es angeben, und nie für die Seiten dieses Kontos.
app-passwords-count = { $count ->
    [0] Es gibt keine App-Passwörter.
    [one] Es gibt { $count } App-Passwort.
   *[other] Es gibt { $count } App-Passwörter.
  }
manage-app-passwords = App-Passwörter verwalten
expires-at = gültig bis { $at }
rename = Umbenennen
new-name-label = Neuer Name
revoke = Widerrufen
revoke-named = { $name } widerrufen
new-app-password = Neues App-Passwort
app-password-name-label = Name des Programms oder Geräts
app-suggestions = Telefon, Tablet, Kalender, Dateien, E-Mail, git auf dem Laptop
scope-label = Gültig für
scope-other = Andere Adressen oder Dienste
scope-other-label = Adressen oder Dienste, jeweils in einer Zeile
scope-hint = web:HOST/PFAD für eine Webadresse und alles darunter oder pam:DIENST für einen Dienst dieses Servers.
scope-missing = Wählen Sie, wofür das App-Passwort gültig ist.
service-unknown = Dieser Server hat keinen PAM-Dienst { $name }.
lifetime-label = Ablauf
days = { $days ->
    [one] nach { $days } Tag
   *[other] nach { $days } Tagen
  }
never = nie
create-app-password = App-Passwort erstellen
app-password-shown = Geben Sie diese Werte in den Einstellungen des Programms ein. Das Passwort wird nur einmal angezeigt.
app-password-address = Adresse
app-password-service = Dienst
app-password-user = Benutzername
app-password-spaces = Geben Sie das Passwort mit oder ohne Bindestriche ein.
app-password-until = Gültig bis { $at }.
app-password-saved = Ich habe es eingegeben
scope-invalid = Das ist kein gültiger Geltungsbereich: { $why }
scope-unknown = Es gibt keinen Geltungsbereich { $name }.
scope-of-gate = Ein App-Passwort gilt nicht für die Seiten des Gates: Geben Sie den Host der Anwendung an.
expiry-past = Dieser Ablaufzeitpunkt liegt in der Vergangenheit.

address-code-mailed = Ein Code wurde an { $to } gesendet. Geben Sie ihn hier ein, um Codes an diese Adresse zu erhalten.
confirm-address = Adresse bestätigen
new-address = Neue Adresse
address-label = Adresse
mail-address-code = Code an diese Adresse senden
remove-address = Keine Codes mehr per E-Mail senden
remove-address-line = Sie erhalten keine Codes mehr per E-Mail, und alle anderen Sitzungen und vertrauenswürdigen Browser werden beendet. Wenn Codes per E-Mail Ihr einziger zweiter Faktor sind, genügt zur Anmeldung dann Ihr Passwort.
address-confirmed = Adresse bestätigt
address-confirmed-line = Ab jetzt werden Codes an diese Adresse gesendet, wenn Sie einen anfordern. Alle anderen Sitzungen und vertrauenswürdigen Browser wurden beendet.
address-removed = Codes per E-Mail abgeschaltet
address-removed-line = Es werden keine Codes mehr per E-Mail gesendet; Ihre Authenticatoren gelten weiter.
address-invalid = Das ist keine gültige E-Mail-Adresse.
address-needs-second-factor = Dieses Konto hat noch keinen zweiten Faktor. Richten Sie zuerst eine Authenticator-App ein; dafür brauchen Sie einen Einmalcode. Bitten Sie die Administration darum.
mail-off = E-Mail ist hier nicht konfiguriert.
address-not-mailed = Der Code konnte nicht an diese Adresse gesendet werden. Prüfen Sie die Adresse oder versuchen Sie es noch einmal; wenn das Problem bleibt, benachrichtigen Sie die Administration.
nothing-to-confirm = Es gibt keine Adresse zu bestätigen: Fordern Sie einen neuen Code an.

change-password = Passwort ändern
change-password-line = Alle anderen Sitzungen und vertrauenswürdigen Browser werden beendet.
new-password-label = Neues Passwort
repeat-password-label = Neues Passwort wiederholen
passwords-differ = Die beiden Passwörter sind verschieden; es wurde nichts geändert.
password-changed = Passwort geändert
password-changed-line = Alle anderen Sitzungen und vertrauenswürdigen Browser wurden beendet.
password-too-short = Ein Passwort muss mindestens { $least } Zeichen haben.
password-too-long = Ein Passwort darf höchstens 1024 Byte haben.
password-common = Dieses Passwort ist eines der häufigsten, die zuerst ausprobiert werden. Wählen Sie ein anderes.
password-of-names = Dieses Passwort besteht aus Ihrem Namen oder dem Namen dieser Website; solche werden zuerst ausprobiert. Wählen Sie ein anderes.
password-elsewhere = Ihr Passwort wird nicht hier verwaltet.
wrong-password = Dieses Passwort ist falsch.

sessions = Sitzungen
this-session = Diese Sitzung
session-details = { $from }; seit { $created }, zuletzt verwendet { $seen }
end-session = Beenden
end-session-named = Sitzung in { $name } beenden
sign-out-everywhere = Überall abmelden
end-sessions = Das war ich nicht
end-sessions-line = Damit enden alle Sitzungen von { $user }, kein Browser gilt mehr als vertrauenswürdig, und App-Passwörter werden widerrufen, wenn es so eingestellt ist. Auch Sie müssen sich neu anmelden.
ended-sessions = Überall abgemeldet
ended-sessions-line = Alle Sitzungen des Kontos sind beendet, und kein Browser gilt mehr als vertrauenswürdig. Ändern Sie jetzt das Passwort, entfernen Sie Authenticatoren und App-Passwörter, die nicht von Ihnen stammen, und benachrichtigen Sie die Administration.
end-sessions-invalid = Dieser Link ist nicht mehr gültig
end-sessions-invalid-line = Er gilt einmal und sieben Tage lang. Um Sitzungen zu beenden, melden Sie sich an und wählen Sie in Ihrem Konto „Überall abmelden“, oder wenden Sie sich an die Administration.
trusted-browsers = Vertrauenswürdige Browser
no-trusted-browser = Keiner: Bei jeder Anmeldung wird ein Code verlangt.
revoke-trust = Nicht mehr vertrauen
revoke-trust-named = { $name } nicht mehr vertrauen
revoke-trust-all = Keinem Browser mehr vertrauen
open-connections = Offene Verbindungen, etwa ein Chat oder eine Shell in einer Seite, bleiben bestehen, bis sie geschlossen werden.

no-account = Es gibt kein solches Konto.
name-taken = Dieser Name ist schon vergeben.
not-found = Das gibt es nicht mehr.
too-many = Es gibt schon { $most }; mehr sind nicht erlaubt.
too-many-app-passwords = Die Höchstzahl an App-Passwörtern ist erreicht: Widerrufen Sie zuerst eines.
name-invalid = Ein Name muss 1 bis 64 Zeichen haben.
stale = Das hat zu lange gedauert, oder das Konto wurde inzwischen geändert. Es wurde nichts geändert; beginnen Sie neu.
other-spelling = Dieser Name ist eine andere Schreibweise eines vorhandenen Kontos. Melden Sie sich mit dem Namen des Kontos an, oder wenden Sie sich an die Administration.

busy = Ausgelastet
busy-line = Gerade melden sich zu viele Personen an. Versuchen Sie es gleich noch einmal.
busy-address-line = Von Ihrer Adresse kamen zu viele Anfragen gleichzeitig. Versuchen Sie es gleich noch einmal.
unavailable = Nicht verfügbar
unavailable-line = Die Anmeldung funktioniert gerade nicht. Benachrichtigen Sie die Administration: Im Protokoll des Gates steht der Grund.

# for programs that use the API
unknown-endpoint = Diesen Endpunkt gibt es nicht; api/v1/openapi.json nennt alle Endpunkte.
method-not-allowed = Diese Methode ist hier nicht erlaubt; der Header Allow nennt die erlaubten.
foreign-origin = Diese Anfrage kommt von einer Seite einer anderen Website.
not-json = Der Inhalt muss JSON sein, mit Content-Type: application/json.
json-malformed = Der Inhalt ist kein JSON-Objekt, oder dieser Endpunkt erwartet keinen Inhalt.
json-schema = Das JSON entspricht nicht dem Schema in api/v1/openapi.json (Spalte { $column }).
body-too-large = Der Inhalt ist länger als 16 KiB.
body-too-slow = Der Inhalt war nach 10 Sekunden noch nicht angekommen.
proof-not-kept = Das Gate teilt sich den Host hier mit einer Anwendung und merkt sich keinen Nachweis: Senden Sie Passwort und Code mit jeder Änderung.
seed-missing = Stellen, Algorithmus, Periode und Zähler sind nur zusammen mit einem Geheimnis erlaubt; für eine App gibt sie die Konfiguration des Gates vor.
expiry-too-far = Dieser Ablaufzeitpunkt liegt zu weit in der Zukunft.

# administration
administration = Administration
admin-find-label = Name oder ein Teil davon
admin-find = Suchen
admin-accounts = Konten
admin-no-match = Kein Konto passt.
admin-more = Es gibt mehr: Geben Sie einen längeren Teil des Namens ein.
admin-locked = nach zu vielen falschen Codes gesperrt
admin-off = Aus
admin-none = Es gibt keine.
admin-trusted = (vertrauenswürdig)
admin-last-sign-in = Letzte Anmeldung mit Code { $at }
admin-codes-left = { $left ->
    [one] { $left } Wiederherstellungscode ist übrig.
   *[other] { $left } Wiederherstellungscodes sind übrig.
  }
admin-code-until = Ein Einmalcode gilt bis { $until }.
admin-account = Konto: { $name }
admin-events = Ereignisse
admin-all-events = Ereignisse aller Konten
admin-event = { $at }, bei { $service }, von { $from }, durch { $by }
admin-older = Ältere
admin-unlock = Wartezeiten und Sperren aufheben
admin-unlock-line = Bisher eingegebene falsche Codes zählen nicht mehr, bei keinem Dienst.
admin-reset-clock = Nach falscher Uhr des Servers zurücksetzen
admin-reset-clock-line = Akzeptiert wieder Codes, nachdem die Uhr des Servers vorging und zurückgestellt wurde. Konten, die nicht betroffen sind, ändern sich nicht.
admin-end-sessions = Alle Sitzungen beenden
admin-revoke-trust-line = Bei der nächsten Anmeldung in jedem dieser Browser wird ein Code verlangt.
admin-issue-code = Einmalcode ausstellen
admin-issue-code-line = Die Person kann sich damit innerhalb von 48 Stunden einmal anmelden, anstelle des Codes aus der App. Er wird einmal angezeigt; frühere Einmalcodes gelten nicht mehr. Achten Sie darauf, dass ihn die richtige Person bekommt.
admin-cancel-code = Einmalcode zurücknehmen
admin-cancel-code-line = Der Code gilt dann nicht mehr.
admin-disable-line = Dieser Person genügt dann bei jedem Dienst das Passwort zur Anmeldung, sofern die Richtlinie nicht mehr verlangt. Das Geheimnis und die Wiederherstellungscodes werden gelöscht, und alle Sitzungen und vertrauenswürdigen Browser werden beendet.
admin-disabled = Der zweite Faktor ist aus; das Geheimnis und die Wiederherstellungscodes sind gelöscht.
admin-still-required = Die Richtlinie verlangt einen zweiten Faktor: Mit einem Einmalcode kann die Person einen neuen einrichten.
admin-done = Erledigt.
admin-done-count = { $count ->
    [0] Es gab nichts zu ändern.
    [one] Erledigt; { $count } wurde geändert.
   *[other] Erledigt; { $count } wurden geändert.
  }
admin-code-shown = Einmal gültig, bis { $until }. Er wird nicht noch einmal angezeigt.
admin-own-account = Dies ist Ihr eigenes Konto: Ändern Sie es auf Ihrer Kontoseite.
admin-needs-factor = Für die Administration brauchen Sie selbst einen zweiten Faktor: Richten Sie zuerst einen ein.

# messages of the engine; durations are given as "30 s", "5 min" or "2 h"
wrong-code = Dieser Code ist falsch
code-used-now = Dieser Code wurde schon verwendet; geben Sie den ein, der jetzt angezeigt wird
code-used = Dieser Code wurde schon verwendet; warten Sie { $wait } auf den nächsten
device-clock-behind = Dieser Code ist zu alt: Die Uhr Ihres Geräts geht etwa { $by } nach; stellen Sie sie nach der Netzwerkzeit
host-clock-behind = Die Uhr dieses Servers liegt vor dem Zeitpunkt Ihrer letzten Anmeldung; wenden Sie sich an die Administration
delayed = Zu viele falsche Codes: Warten Sie { $wait } oder geben Sie einen Wiederherstellungscode ein
address-delayed = Zu viele Versuche von Ihrer Adresse: Warten Sie { $wait }
locked = Gesperrt nach zu vielen falschen Codes: Geben Sie einen Wiederherstellungscode ein oder wenden Sie sich an die Administration
not-a-code = Das ist kein Code: Geben Sie die Ziffern aus Ihrer App oder einen Wiederherstellungscode ein
not-enrolled = Dieses Konto braucht einen zweiten Faktor und hat keinen; wenden Sie sich an die Administration
code-expired = Dieser Code ist abgelaufen; fordern Sie einen neuen an
sign-in-expired = Diese Anmeldung ist abgelaufen; beginnen Sie neu
no-mailed-codes = An dieses Konto werden keine Codes per E-Mail gesendet; geben Sie einen anderen Code ein
mail-cooldown = Gerade wurde ein Code gesendet; warten Sie { $wait }, bevor Sie einen weiteren anfordern
mail-waits = Zurzeit werden keine E-Mails gesendet; der Code wird gesendet, sobald das wieder möglich ist. Geben Sie einen anderen Code ein, oder benachrichtigen Sie die Administration.
not-mailed = Der Code konnte nicht gesendet werden. Geben Sie einen anderen Code ein oder versuchen Sie es noch einmal; wenn das Problem bleibt, benachrichtigen Sie die Administration.
code-mailed = Ein Code ist unterwegs an { $to }. Er gilt { $life }; frühere Codes gelten nicht mehr.
wrong-codes-since = { $count ->
    [one] { $count } falscher Code
   *[other] { $count } falsche Codes
  } seit Ihrer letzten Anmeldung, zuletzt von { $from }
this-host = diesem Server
recovery-turned-off = Dieser Wiederherstellungscode hat Ihren zweiten Faktor abgeschaltet; richten Sie ihn neu ein
recovery-codes-left = { $left ->
    [0] Das war Ihr letzter Wiederherstellungscode; bitten Sie die Administration um neue
    [one] { $left } Wiederherstellungscode ist übrig
   *[other] { $left } Wiederherstellungscodes sind übrig
  }
app-passwords-kept = { $count ->
    [one] { $count } App-Passwort bleibt
   *[other] { $count } App-Passwörter bleiben
  }: Programme, die App-Passwörter verwenden, funktionieren weiter
app-passwords-revoked = { $count ->
    [one] { $count } App-Passwort widerrufen
   *[other] { $count } App-Passwörter widerrufen
  }: Erstellen Sie neue

# passkeys
passkeys = Passkeys
passkeys-line = Ein Passkey liegt auf Ihrem Telefon, Ihrem Computer oder einem Sicherheitsschlüssel. Er meldet Sie an, ohne dass Sie einen Code eingeben, und funktioniert nicht auf einer falschen Website. Ihre Authenticator-App bleibt für alles andere.
passkeys-count = { $count ->
    [0] Kein Passkey ist eingerichtet.
    [one] Ein Passkey ist eingerichtet.
   *[other] { $count } Passkeys sind eingerichtet.
 }
manage-passkeys = Passkeys verwalten
add-passkey = Passkey hinzufügen
passkey-name-label = Ein Name, etwa „Laptop“
passkeys-need-script = Dieser Browser zeigt hier keine Passkeys: Sie brauchen JavaScript und einen Browser, der sie kennt.
new-passkey-line = Ihr Browser fragt jetzt nach dem Passkey „{ $name }“.
make-passkey = Passkey erstellen
use-passkey = Passkey verwenden
confirm-by-passkey = Mit einem Passkey bestätigen
passkey-failed = Der Browser hat keinen Passkey übergeben. Versuchen Sie es noch einmal, oder verwenden Sie einen Code.
passkey-refused = Der Passkey wurde nicht angenommen. Versuchen Sie es noch einmal, oder verwenden Sie einen Code.
sign-in-by-passkey = Mit einem Passkey anmelden
passkey-sign-in-failed = Der Browser hat keinen Passkey übergeben. Versuchen Sie es noch einmal, oder melden Sie sich mit Name und Passwort an.
passkey-sign-in-refused = Der Passkey wurde nicht angenommen. Versuchen Sie es noch einmal, oder melden Sie sich mit Name und Passwort an.
passkey-not-verified = Dieser Passkey fragt weder nach einer PIN noch nach biometrischen Merkmalen und meldet Sie deshalb nicht allein an. Melden Sie sich mit Name und Passwort an, und verwenden Sie ihn anstelle des Codes.
passkey-registered = Dieser Passkey ist schon eingerichtet.
passkeys-need-passkey = Melden Sie sich mit einem Passkey oder einem Wiederherstellungscode an, um Ihre Passkeys, Wiederherstellungscodes oder den zweiten Faktor zu ändern.
passkeys-not-available = Passkeys stehen hier nicht zur Verfügung. Fragen Sie die Administration.
too-many-passkeys = Es gibt { $most } Passkeys, mehr sind nicht möglich: Entfernen Sie zuerst einen.
page-needs-passkey = Die gewünschte Seite braucht einen Passkey. Ein Code meldet Sie an, öffnet sie aber nicht.
page-needs-new-passkey = Die gewünschte Seite braucht einen Passkey, und Sie haben noch keinen. Melden Sie sich mit einem Code an und fügen Sie dann auf der Seite Ihres Kontos einen hinzu.
admin-needs-passkey = Für die Verwaltung braucht Ihr Konto einen Passkey. Melden Sie sich mit einem an; wenn Sie noch keinen haben, fügen Sie ihn auf der Seite Ihres Kontos hinzu.
add-needed-passkey = Sie brauchen einen Passkey und haben noch keinen. Fügen Sie hier einen hinzu, und melden Sie sich dann damit an.
remove-passkey = Passkey entfernen
remove-passkey-line = „{ $name }“ meldet Sie danach nicht mehr an, und alle anderen Sitzungen und vertrauten Browser enden.
passkey-removed = Passkey entfernt
passkey-removed-line = Er meldet Sie nicht mehr an. Alle anderen Sitzungen und vertrauten Browser sind beendet.
admin-remove-passkey-line = Der Passkey meldet den Benutzer nicht mehr an, und alle Sitzungen und vertrauten Browser des Kontos enden.
passkey-code = Code für ein Terminal
passkey-code-line = Ein Passkey erstellt einen Code für eine einzige Abfrage von ssh oder sudo. Er gilt 90 Sekunden, einmal, und ersetzt einen früheren.
make-passkey-code = Code mit einem Passkey erstellen
passkey-code-made = Ihr Code
passkey-code-shown = Geben Sie diesen Code ein, wo ssh oder sudo nach einem Bestätigungscode fragt.
passkey-code-until = Gültig bis { $at }.
passkey-code-care = Geben Sie ihn niemandem: Nur eine Abfrage, die Sie selbst geöffnet haben, braucht ihn.
another-passkey-code = Einen weiteren Code erstellen
passkey-code-none = Ein Code braucht einen Passkey, dessen Gerät Sie prüft, mit PIN oder Fingerabdruck. Fügen Sie zuerst einen hinzu.

# approval
approve = Anmeldung freigeben
approve-line = Geben Sie dies nur frei, wenn Sie sich gerade dort anmelden und Ihre eigene Eingabeaufforderung die Zahl zeigt, die Sie hier eingeben.
approve-warning = Hat Ihnen jemand diese Adresse oder die Zahl geschickt, ist es ein Angriff: Wählen Sie „Das war ich nicht“.
approve-host = Rechner
approve-service = Dienst
approve-from = Von
approve-account = Konto
approve-user = Angemeldet wird
approve-time = Zeit
approve-asked = angefragt { $at }
approve-number = Die Zahl an der Eingabeaufforderung
approve-by-passkey = Mit einem Passkey freigeben
approve-no-passkey = Der Browser hat keinen Passkey übergeben. Versuchen Sie es noch einmal, oder geben Sie an der Eingabeaufforderung einen Code ein.
not-me = Das war ich nicht
approved = Freigegeben
approved-line = Drücken Sie jetzt die Eingabetaste an der Eingabeaufforderung von { $service } auf { $host }.
approval-wrong-number = Die Zahl war falsch, und die Anfrage ist abgelehnt. Beginnen Sie an der Eingabeaufforderung von vorn.
approval-unknown = Keine solche Anfrage
approval-unknown-line = Für Ihr Konto gibt es hier nichts freizugeben: Die Anfrage ist beendet oder nicht Ihre. Beginnen Sie an der Eingabeaufforderung von vorn.
approval-refused = Abgelehnt
approval-refused-line = Die Anfrage ist abgelehnt und steht im Protokoll.
approval-refused-advice = Wer angefragt hat, kennt Ihren ersten Faktor, etwa Ihr Passwort oder einen Schlüssel: Ändern Sie ihn, und sagen Sie es der Administration.
