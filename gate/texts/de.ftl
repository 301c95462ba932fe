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
signed-out = Abgemeldet
signed-out-line = Sie sind hier abgemeldet.
signed-in = Angemeldet
signed-in-line = Sie sind als { $name } angemeldet.
refused-before-code = Name oder Passwort ist falsch, oder es waren zu viele Versuche. Prüfen Sie beides, warten Sie etwas und versuchen Sie es noch einmal.
nobody-is-named = Hier ist niemand genannt
nobody-is-named-line = Der Server vor dieser Seite soll sagen, wer Sie sind, und hat es nicht getan. Sagen Sie es der Administratorin: Das Protokoll des Gates nennt den Grund.

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

fresh-code-needed = Ein frischer Code ist nötig
fresh-code-needed-line = Dafür braucht es einen frischen Code: Melden Sie sich ab und mit einem Wiederherstellungscode oder einem Einmalcode der Verwaltung wieder an.
lost-phone = Haben Sie Ihr Telefon verloren?
lost-phone-line = Eine Viertelstunde lang können Sie einen neuen Authenticator anstelle des alten einrichten oder den zweiten Faktor abschalten.
set-up-new = Neuen Authenticator einrichten
turn-off = Zweiten Faktor abschalten
not-turned-off = Nicht abgeschaltet
turned-off = Zweiter Faktor aus
turned-off-line = Ihr zweiter Faktor ist aus. Alle Sitzungen und vertrauten Browser sind beendet.
is-required = Dieses Konto muss einen zweiten Faktor haben: Richten Sie stattdessen einen neuen ein.
is-declared = Die Verwaltung hält diesen zweiten Faktor in einer Datei; nur sie kann ihn ändern.
not-done = Das hat nicht geklappt, oder es ist schon aus. Sagen Sie der Verwaltung Bescheid: Im Protokoll des Gates steht, warum.

wrong = Dieser Code ist falsch
used-now = Dieser Code wurde schon benutzt; nehmen Sie den, der jetzt angezeigt wird
used = Dieser Code wurde schon benutzt; warten Sie { $wait } auf den nächsten
behind = Dieser Code ist zu alt: Die Uhr Ihres Geräts geht etwa { $by } nach; stellen Sie sie nach der Netzwerkzeit
clock-set-back = Die Uhr dieses Servers steht vor Ihrer letzten Anmeldung; fragen Sie die Verwaltung
delayed = Zu viele falsche Codes: Warten Sie { $wait } oder geben Sie einen Wiederherstellungscode ein
address-delayed = Zu viele Versuche von Ihrer Adresse: Warten Sie { $wait }
locked = Gesperrt nach zu vielen falschen Codes: Geben Sie einen Wiederherstellungscode ein oder fragen Sie die Verwaltung
unfit = Das ist kein Code: Geben Sie die Ziffern aus Ihrer App oder einen Wiederherstellungscode ein
not-enrolled = Dieses Konto braucht einen zweiten Faktor und hat keinen; fragen Sie die Verwaltung
code-expired = Die Zeit dieses Codes ist um; fordern Sie einen neuen an
sign-in-expired = Diese Anmeldung ist vorbei; beginnen Sie neu
no-mail = An dieses Konto werden keine Codes gemailt; geben Sie einen anderen Code ein
mail-cooldown = Eben wurde ein Code gemailt; warten Sie { $wait }, bevor Sie einen weiteren anfordern
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
out-of-order = Außer Betrieb
out-of-order-line = Die Anmeldung geht gerade nicht. Sagen Sie der Verwaltung Bescheid: Im Protokoll des Gates steht, warum.
