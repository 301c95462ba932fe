# French; a no-break space (U+00A0) stands before : ; ? ! and inside « »

continue = Continuer
sign-out = Se déconnecter
one-time-code-label = Code à usage unique
app-code-label = Le code affiché par votre application
language = Langue
language-name = Français
signed-in-as = Session ouverte en tant que { $name }

time-now = à l’instant
time-minutes = { $count ->
    [one] il y a { $count } minute
   *[other] il y a { $count } minutes
  }
time-hours = { $count ->
    [one] il y a { $count } heure
   *[other] il y a { $count } heures
  }
time-days = { $count ->
    [one] il y a { $count } jour
   *[other] il y a { $count } jours
  }
time-today = aujourd’hui { $time }
time-tomorrow = demain { $time }
time-yesterday = hier { $time }

sign-in = Se connecter
name-label = Nom
password-label = Mot de passe
to-application = Pour continuer vers { $host }
address-too-long = L’adresse que vous avez ouverte est trop longue pour être conservée ici. Après la connexion, vous arriverez sur la page d’accueil de l’application ; ouvrez-y l’adresse de nouveau.
sign-in-recovery = Saisir aussi un code de récupération ou à usage unique
recovery-label = Code de récupération ou à usage unique
not-signed-in = Aucune session ouverte
not-signed-in-line = Vous n’avez pas ouvert de session.
refresh-token-used = Ce jeton d’actualisation a déjà été utilisé : quelqu’un d’autre en a peut-être une copie. La session est fermée ; connectez-vous de nouveau.
signed-out = Session fermée
signed-out-line = Votre session est fermée dans ce navigateur.
no-session-to-end = Ce navigateur n’a envoyé aucune session valide, donc aucune n’a été fermée. Ses cookies ont été supprimés.
session-not-ended = Les cookies de ce navigateur ont été supprimés, mais la session n’a pas pu être fermée sur le serveur : { $sessions }. Toute personne qui a une copie du cookie peut utiliser la session jusqu’à son expiration. Fermez-la plus tard sous « Sessions et navigateurs », ou prévenez l’administrateur.
cookies = Cookies contradictoires
cookies-line = Ce navigateur envoie les cookies de plusieurs sessions, ou trop de cookies : il est impossible de savoir quelle session utiliser. Une page d’un autre hôte de ce domaine les a peut-être créés.
cookies-remove = Supprimer les cookies
cookies-removed = Les cookies de ce domaine ont été supprimés. Connectez-vous de nouveau. Si cette page revient, prévenez l’administrateur.
not-covered = Impossible de se connecter pour cette adresse
not-covered-line = Une connexion ici n’est pas valable pour l’application { $host }.
not-covered-ask = Prévenez l’administrateur : le journal de la passerelle indique le réglage à modifier.
try-again = Réessayer
denied = Accès refusé
denied-user = Votre session est ouverte en tant que { $name }. Ce compte n’est pas autorisé à ouvrir cette page de { $host }.
denied-line = Personne n’est autorisé à ouvrir cette page de { $host } à partir d’ici.
denied-ask = Si vous en avez besoin, adressez-vous à l’administrateur : le journal de la passerelle indique la règle appliquée.
page-not-found = Page introuvable
page-not-found-line = Cette page n’existe pas ici, ou vous ne pouvez pas l’ouvrir.
signed-in = Connexion réussie
sign-in-refused = Le nom ou le mot de passe est incorrect, ou il y a eu trop de tentatives. Vérifiez-les, attendez un peu, puis réessayez.
identity-missing = Nom d’utilisateur manquant
identity-missing-line = Le serveur placé devant cette page doit envoyer votre nom d’utilisateur et ne l’a pas fait. Prévenez l’administrateur : le journal de la passerelle en indique la raison.

code = Code de vérification
trust-browser = Faire confiance à ce navigateur pendant { $days ->
    [one] un jour
   *[other] { $days } jours
  }
mailed-code-label = Le code que vous avez reçu par courriel
app-or-mailed-code-label = Le code affiché par votre application ou reçu par courriel
mail-code = Envoyer un code à { $to }
enter-app-code = Saisir un code de votre application
enter-mailed-code = Saisir un code reçu par courriel
enter-other-code = Saisir un autre type de code
code-for = Connexion en tant que { $name }
not-you = Ce n’est pas votre compte, ou la connexion a expiré ?
start-again = Recommencer
wait-left = La prochaine tentative sera possible dans { $seconds } s.
wait-over = Vous pouvez réessayer maintenant.

enroll = Configurer votre second facteur
enroll-line = Scannez ceci avec une application d’authentification, puis saisissez le code affiché par l’application.
show-secret = Afficher plutôt la clé secrète
open-in-app = Ouvrir dans une application de cet appareil
save-codes = Enregistrez vos codes de récupération
save-codes-line = Si vous perdez votre téléphone, chacun de ces codes vous permet de vous connecter une fois, à la place du code de l’application. Ils ne seront plus affichés.
save-code-line = Si vous perdez votre téléphone, ce code vous permet de vous connecter une fois et désactive votre second facteur. Il ne sera plus affiché.
app-password-needed = Ensuite, les programmes qui ne peuvent pas afficher de page web, par exemple pour les fichiers, l’agenda ou le courriel, auront besoin d’un mot de passe d’application.
codes-saved = Je les ai enregistrés là où je peux les retrouver sans mon téléphone
turn-on = Activer le second facteur
copy = Copier
copied = Copié
copy-named = Copier : { $name }
download = Télécharger
print = Imprimer
enrollment-required = Second facteur obligatoire
enrollment-required-line = Ce compte doit avoir un second facteur et n’en a pas. Pour en configurer un, il vous faut un code à usage unique ; demandez-le à l’administrateur.
enrollment-required-one-of = Ce compte doit avoir un second facteur et n’en a pas. Pour en configurer un, il vous faut un code à usage unique ; demandez-le à un administrateur ({ $administrators }).
group = groupe { $name }
sign-in-other-name = Se connecter avec un autre nom
one-time-code-invalid = Ce n’est pas un code à usage unique : il commence par P-, suivi de 12 caractères.
enrollment-expired = Cette configuration a expiré, ou le compte a été modifié entre-temps. Rien n’a été modifié ; connectez-vous et recommencez.

step-up-required = Votre mot de passe et un nouveau code sont nécessaires.
lost-phone = Avez-vous perdu votre téléphone ?
lost-phone-line = Pendant les 15 prochaines minutes, vous pouvez configurer un nouvel authentificateur à la place de l’ancien, ou désactiver le second facteur.
enroll-new = Configurer un nouvel authentificateur
turn-off = Désactiver le second facteur
turned-off = Second facteur désactivé
turned-off-line = Votre second facteur est désactivé. Toutes les autres sessions ont été fermées et les navigateurs de confiance oubliés.
turn-off-required = Ce compte doit avoir un second facteur : configurez-en plutôt un nouveau.
account-declared = Ce second facteur est défini dans un fichier de configuration ; seul l’administrateur peut le modifier.
act-failed = Cela n’a pas fonctionné, ou c’est déjà désactivé. Prévenez l’administrateur : le journal de la passerelle en indique la raison.
act-failed-title = Rien n’a été modifié

account = Votre compte
to-account = Aller à votre compte
cancel = Annuler
second-factor = Second facteur
on = Activé
on-since = Activé depuis : { $since }
second-factor-off = Désactivé : votre mot de passe suffit pour vous connecter.
by-administrator = Configuré par l’administrateur
last-used = dernière utilisation : { $at }
not-used = n’a pas encore servi
remove = Supprimer
remove-named = Supprimer { $name }
recovery-codes = Codes de récupération
recovery-codes-line = { $left ->
    [0] Il n’en reste aucun : vous ne pouvez pas vous connecter sans votre téléphone.
    [one] Il en reste { $left }.
   *[other] Il en reste { $left }.
  }
mailed-codes = Codes par courriel
mailed-codes-on = Les codes que vous demandez sont envoyés à { $to }.
mailed-codes-off = Vous ne recevez pas de codes par courriel.
mail-notices = Courriel
mail-notices-on = Les événements de votre compte sont signalés à { $to }.
mail-notices-off = Aucun courriel n’est envoyé au sujet de votre compte.
change-address = Changer l’adresse
sign-ins = Sessions et navigateurs
sign-ins-count = { $sessions ->
    [one] { $sessions } session
   *[other] { $sessions } sessions
  }, { $browsers ->
    [0] aucun navigateur de confiance
    [one] { $browsers } navigateur de confiance
   *[other] { $browsers } navigateurs de confiance
  }
show-sign-ins = Afficher les sessions et les navigateurs
own-password-label = Votre mot de passe
new-code-label = Un nouveau code
next-code = Vous venez d’utiliser un code, et chaque code n’est valable qu’une fois. Votre application affichera le suivant dans { $seconds } s.
next-code-now = Votre application affiche maintenant un nouveau code.
current-password-label = Votre mot de passe actuel

turn-on-line = Avec un second facteur, votre mot de passe ne suffit plus pour vous connecter : chaque fois, vous saisissez aussi un code affiché par une application de votre téléphone.
already-enrolled = Ce compte a déjà un second facteur.
no-second-factor = Ce compte n’a pas de second facteur.
turn-off-line = Votre mot de passe suffira pour vous connecter, ici et à tous les autres services. La clé secrète sera supprimée, toutes les autres sessions fermées et les navigateurs de confiance oubliés.
replace = Remplacer l’authentificateur
enroll-new-line = Pour un nouveau téléphone, ou après une perte. L’ancien authentificateur fonctionne jusqu’à la confirmation du nouveau ; ensuite, toutes les autres sessions seront fermées et les navigateurs de confiance oubliés.

add-authenticator = Ajouter un authentificateur
add-authenticator-line = Un second téléphone ou un jeton matériel. Chacun fonctionne indépendamment des autres.
authenticator-name-label = Un nom, par exemple « tablette »
hardware-token = C’est un jeton matériel
seed-label = Sa clé secrète, en hexadécimal ou en Base32
code-change-label = Le code change
every-seconds = toutes les { $seconds } secondes
at-each-press = à chaque pression sur le bouton
digits-label = Nombre de chiffres
algorithm-label = Algorithme
authenticator-added = Authentificateur ajouté
authenticator-added-line = Vous pouvez l’utiliser à chaque connexion. Toutes les autres sessions ont été fermées et les navigateurs de confiance oubliés.
remove-authenticator = Supprimer un authentificateur
remove-authenticator-line = Les codes de « { $name } » ne seront plus valables, toutes les autres sessions seront fermées et les navigateurs de confiance oubliés.
authenticator-removed = Authentificateur supprimé
authenticator-removed-line = Ses codes ne sont plus valables. Toutes les autres sessions ont été fermées et les navigateurs de confiance oubliés.
last-authenticator = C’est le seul authentificateur : ajoutez-en d’abord un autre, ou désactivez le second facteur.
secret-code-used = Cette clé secrète a déjà servi ici, et ce code avait alors été accepté : recommencez avec le code suivant.
token-invalid = Ces valeurs d’un jeton matériel ne sont pas valables : { $why }

new-codes = Créer de nouveaux codes de récupération
new-codes-line = Vos codes actuels ne seront plus valables dès que vous aurez confirmé que les nouveaux sont enregistrés.
use-new-codes = Utiliser ces codes désormais
codes-renewed = Nouveaux codes de récupération
codes-renewed-line = Les nouveaux codes sont valables ; les anciens ne le sont plus.

app-passwords = Mots de passe d’application
app-passwords-line = Pour les programmes qui ne peuvent pas afficher de page web, par exemple pour les fichiers, l’agenda ou le courriel. Chacun n’est valable que là où vous l’indiquez, et jamais pour les pages de ce compte.
app-passwords-count = { $count ->
    [0] Il n’y a aucun mot de passe d’application.
    [one] Il y a { $count } mot de passe d’application.
   *[other] Il y a { $count } mots de passe d’application.
  }
manage-app-passwords = Gérer les mots de passe d’application
expires-at = expiration : { $at }
rename = Renommer
new-name-label = Nouveau nom
revoke = Révoquer
revoke-named = Révoquer { $name }
new-app-password = Nouveau mot de passe d’application
app-password-name-label = Nom du programme ou de l’appareil
app-suggestions = Téléphone, Tablette, Agenda, Fichiers, Courriel, git sur l’ordinateur portable
scope-label = Valable pour
scope-other = Autre
scope-other-label = Adresses ou services, une entrée par ligne
scope-hint = web:HÔTE/CHEMIN pour une adresse web et tout ce qui se trouve au-dessous, ou pam:SERVICE pour un service de ce serveur.
scope-missing = Choisissez l’usage pour lequel le mot de passe d’application est valable.
service-unknown = Ce serveur n’a pas de service PAM { $name }.
lifetime-label = Expiration
days = { $days ->
    [one] après { $days } jour
   *[other] après { $days } jours
  }
never = jamais
create-app-password = Créer un mot de passe d’application
app-password-shown = Saisissez ces valeurs dans les réglages du programme. Le mot de passe n’est affiché qu’une seule fois.
app-password-address = Adresse
app-password-service = Service
app-password-user = Nom d’utilisateur
app-password-spaces = Saisissez le mot de passe avec ou sans les traits d’union.
app-password-until = Expiration : { $at }.
app-password-saved = Je l’ai saisi
scope-invalid = Ce n’est pas une portée valable : { $why }
scope-unknown = Il n’existe pas de portée { $name }.
scope-of-gate = Un mot de passe d’application n’est pas valable pour les pages de la passerelle : indiquez l’hôte de l’application.
expiry-past = Cette date d’expiration est déjà passée.

address-code-mailed = Un code a été envoyé à { $to }. Saisissez-le ici pour recevoir les codes à cette adresse.
confirm-address = Confirmer l’adresse
new-address = Nouvelle adresse
address-label = Adresse
mail-address-code = Envoyer un code à cette adresse
remove-address = Ne plus envoyer de codes par courriel
remove-address-line = Vous ne recevrez plus de codes par courriel, toutes les autres sessions seront fermées et les navigateurs de confiance oubliés. Si ces codes sont votre seul second facteur, votre mot de passe suffira pour vous connecter.
address-confirmed = Adresse confirmée
address-confirmed-line = Désormais, les codes que vous demandez sont envoyés à cette adresse. Toutes les autres sessions ont été fermées et les navigateurs de confiance oubliés.
address-removed = Codes par courriel désactivés
address-removed-line = Plus aucun code n’est envoyé par courriel ; vos authentificateurs continuent de fonctionner.
address-invalid = Ce n’est pas une adresse électronique valable.
address-needs-second-factor = Ce compte n’a pas encore de second facteur. Configurez d’abord une application d’authentification ; il vous faut pour cela un code à usage unique. Demandez-le à l’administrateur.
mail-off = Le courriel n’est pas configuré ici.
address-not-mailed = Le code n’a pas pu être envoyé à cette adresse. Vérifiez l’adresse ou réessayez ; si le problème persiste, prévenez l’administrateur.
nothing-to-confirm = Il n’y a aucune adresse à confirmer : demandez un nouveau code.

change-password = Changer votre mot de passe
change-password-line = Toutes les autres sessions seront fermées et les navigateurs de confiance oubliés.
new-password-label = Nouveau mot de passe
repeat-password-label = Répétez le nouveau mot de passe
passwords-differ = Les deux mots de passe sont différents ; rien n’a été modifié.
password-changed = Mot de passe changé
password-changed-line = Toutes les autres sessions ont été fermées et les navigateurs de confiance oubliés.
password-too-short = Un mot de passe doit avoir au moins { $least } caractères.
password-too-long = Un mot de passe doit avoir au plus 1024 octets.
password-common = Ce mot de passe est l’un des plus courants, qui sont essayés en premier. Choisissez-en un autre.
password-of-names = Ce mot de passe est composé de votre nom ou du nom de ce site, qui sont essayés en premier. Choisissez-en un autre.
password-elsewhere = Votre mot de passe n’est pas géré ici.
wrong-password = Ce mot de passe est incorrect.

sessions = Sessions
this-session = Cette session
session-details = { $from } ; depuis : { $created }, dernière utilisation : { $seen }
end-session = Fermer
end-session-named = Fermer la session dans { $name }
sign-out-everywhere = Se déconnecter partout
end-sessions = Ce n’était pas moi
end-sessions-line = Cela ferme toutes les sessions de { $user }, oublie tous les navigateurs de confiance et révoque les mots de passe d’application si la configuration le prévoit. Vous devrez aussi vous reconnecter.
ended-sessions = Toutes les sessions sont fermées
ended-sessions-line = Toutes les sessions du compte ont été fermées et les navigateurs de confiance oubliés. Changez maintenant le mot de passe, supprimez les authentificateurs et les mots de passe d’application qui ne sont pas les vôtres, et prévenez un administrateur.
end-sessions-invalid = Ce lien n’est plus valable
end-sessions-invalid-line = Il est valable une seule fois et pendant sept jours. Pour fermer des sessions, connectez-vous et choisissez « Se déconnecter partout » dans votre compte, ou adressez-vous à un administrateur.
trusted-browsers = Navigateurs de confiance
no-trusted-browser = Aucun : un code est demandé à chaque connexion.
revoke-trust = Ne plus faire confiance
revoke-trust-named = Ne plus faire confiance à { $name }
revoke-trust-all = Ne plus faire confiance à aucun navigateur
open-connections = Les connexions ouvertes, comme une discussion ou un terminal dans une page, continuent jusqu’à leur fermeture.

no-account = Ce compte n’existe pas.
name-taken = Ce nom est déjà pris.
not-found = Cet élément n’existe plus.
too-many = Il y en a déjà { $most }, ce qui est le maximum.
too-many-app-passwords = Le nombre maximal de mots de passe d’application est atteint : révoquez-en d’abord un.
name-invalid = Un nom doit avoir de 1 à 64 caractères.
stale = Cela a pris trop de temps, ou le compte a été modifié entre-temps. Rien n’a été modifié ; recommencez.
other-spelling = Ce nom est une autre graphie d’un compte existant. Connectez-vous avec le nom exact du compte, ou demandez à l’administrateur.

busy = Service occupé
busy-line = Trop de personnes se connectent en ce moment. Réessayez dans un instant.
busy-address-line = Trop de demandes sont arrivées de votre adresse en même temps. Réessayez dans un instant.
unavailable = Service indisponible
unavailable-line = La connexion ne fonctionne pas en ce moment. Prévenez l’administrateur : le journal de la passerelle en indique la raison.

# for programs that use the API
unknown-endpoint = Ce point de terminaison n’existe pas ; api/v1/openapi.json les énumère tous.
method-not-allowed = Cette méthode n’est pas autorisée ici ; l’en-tête Allow énumère celles qui le sont.
foreign-origin = Cette demande provient d’une page d’un autre site.
not-json = Le corps doit être en JSON, avec Content-Type: application/json.
json-malformed = Le corps n’est pas un objet JSON, ou ce point de terminaison n’accepte pas de corps.
json-schema = Le JSON ne correspond pas au schéma de api/v1/openapi.json, à la colonne { $column }.
body-too-large = Le corps dépasse 16 Kio.
body-too-slow = Le corps a mis plus de 10 secondes à arriver.
proof-not-kept = La passerelle partage ici son hôte avec une application et ne garde aucune preuve : envoyez le mot de passe et le code avec chaque action.
seed-missing = Le nombre de chiffres, l’algorithme, la période et le compteur ne sont autorisés qu’avec une clé secrète ; pour une application, la configuration de la passerelle les fixe.
expiry-too-far = Cette date d’expiration est trop lointaine.

# administration
administration = Administration
admin-find-label = Nom, ou une partie du nom
admin-find = Rechercher
admin-accounts = Comptes
admin-no-match = Aucun compte ne correspond.
admin-more = Il y en a d’autres : saisissez une plus longue partie du nom.
admin-locked = blocage après trop de codes incorrects
admin-off = Désactivé
admin-none = Il n’y en a aucun.
admin-trusted = (de confiance)
admin-last-sign-in = Dernière connexion avec un code : { $at }
admin-codes-left = { $left ->
    [one] Il reste { $left } code de récupération.
   *[other] Il reste { $left } codes de récupération.
  }
admin-code-until = Un code à usage unique a été émis. Expiration : { $until }.
admin-account = Compte : { $name }
admin-events = Événements
admin-all-events = Événements de tous les comptes
admin-event = { $at }, service { $service }, depuis { $from }, par { $by }
admin-older = Plus anciens
admin-unlock = Lever les délais et les blocages
admin-unlock-line = Les codes incorrects saisis jusqu’ici ne comptent plus, pour aucun service.
admin-reset-clock = Réinitialiser après une erreur d’horloge du serveur
admin-reset-clock-line = Accepte de nouveau les codes après que l’horloge du serveur a avancé puis a été remise à l’heure. Les comptes non concernés ne changent pas.
admin-end-sessions = Fermer toutes les sessions
admin-revoke-trust-line = La prochaine connexion dans chacun de ces navigateurs demandera un code.
admin-issue-code = Émettre un code à usage unique
admin-issue-code-line = Il permet à la personne de se connecter une fois dans les 48 heures, à la place du code de l’application, et n’est affiché qu’une fois. Les codes à usage unique précédents ne seront plus valables. Assurez-vous que la bonne personne le reçoit.
admin-cancel-code = Annuler le code à usage unique
admin-cancel-code-line = Le code ne sera plus valable.
admin-disable-line = Le mot de passe suffira à cette personne pour se connecter à tous les services, sauf si la stratégie en exige davantage. La clé secrète et les codes de récupération seront supprimés, toutes les sessions fermées et les navigateurs de confiance oubliés.
admin-disabled = Le second facteur est désactivé ; la clé secrète et les codes de récupération sont supprimés.
admin-still-required = La stratégie exige un second facteur : avec un code à usage unique, la personne peut en configurer un nouveau.
admin-done = C’est fait.
admin-done-count = { $count ->
    [0] Il n’y avait rien à modifier.
    [one] C’est fait ; { $count } élément modifié.
   *[other] C’est fait ; { $count } éléments modifiés.
  }
admin-code-shown = Valable une seule fois. Expiration : { $until }. Il ne sera plus affiché.
admin-own-account = C’est votre propre compte : modifiez-le sur la page de votre compte.
admin-needs-factor = Pour administrer, vous devez avoir vous-même un second facteur : configurez-en d’abord un.

# messages of the engine; durations are given as "30 s", "5 min" or "2 h"
wrong-code = Ce code est incorrect
code-used-now = Ce code a déjà été utilisé ; saisissez celui qui est affiché maintenant
code-used = Ce code a déjà été utilisé ; attendez { $wait } pour le suivant
device-clock-behind = Ce code est trop ancien : l’horloge de votre appareil retarde d’environ { $by } ; réglez-la sur l’heure du réseau
host-clock-behind = L’horloge de ce serveur indique une heure antérieure à votre dernière connexion ; demandez à l’administrateur
delayed = Trop de codes incorrects : attendez { $wait }, ou saisissez un code de récupération
address-delayed = Trop de tentatives depuis votre adresse : attendez { $wait }
locked = Blocage après trop de codes incorrects : saisissez un code de récupération, ou demandez à l’administrateur
not-a-code = Ce n’est pas un code : saisissez les chiffres affichés par votre application, ou un code de récupération
not-enrolled = Ce compte doit avoir un second facteur et n’en a pas ; demandez à l’administrateur
code-expired = Ce code a expiré ; demandez-en un nouveau
sign-in-expired = Cette connexion a expiré ; recommencez
no-mailed-codes = Aucun code n’est envoyé par courriel pour ce compte ; saisissez un autre type de code
mail-cooldown = Un code vient d’être envoyé ; attendez { $wait } avant d’en demander un autre
mail-waits = Aucun courriel n’est envoyé pour le moment ; le code sera envoyé dès que ce sera de nouveau possible. Saisissez un autre type de code, ou prévenez l’administrateur.
not-mailed = Le code n’a pas pu être envoyé. Saisissez un autre type de code ou réessayez ; si le problème persiste, prévenez l’administrateur.
code-mailed = Un code est en route vers { $to }. Il est valable pendant { $life } ; les codes précédents ne sont plus valables.
wrong-codes-since = { $count ->
    [one] { $count } code incorrect
   *[other] { $count } codes incorrects
  } depuis votre dernière connexion, le plus récent provenant de { $from }
this-host = ce serveur
recovery-turned-off = Ce code de récupération a désactivé votre second facteur ; configurez-le de nouveau
recovery-codes-left = { $left ->
    [0] C’était votre dernier code de récupération ; demandez-en de nouveaux à l’administrateur
    [one] Il reste { $left } code de récupération
   *[other] Il reste { $left } codes de récupération
  }
app-passwords-kept = { $count ->
    [one] { $count } mot de passe d’application conservé
   *[other] { $count } mots de passe d’application conservés
  } : les programmes qui utilisent des mots de passe d’application continuent de fonctionner
app-passwords-revoked = { $count ->
    [one] { $count } mot de passe d’application révoqué
   *[other] { $count } mots de passe d’application révoqués
  } : créez-en de nouveaux

# passkeys
passkeys = Clés d’accès
passkeys-line = Une clé d’accès se trouve sur votre téléphone, votre ordinateur ou une clé de sécurité. Elle vous connecte sans code à saisir, et ne fonctionne pas sur un faux site. Votre application d’authentification reste valable pour tout le reste.
passkeys-count = { $count ->
    [0] Aucune clé d’accès n’est configurée.
    [one] Une clé d’accès est configurée.
   *[other] { $count } clés d’accès sont configurées.
 }
manage-passkeys = Gérer les clés d’accès
add-passkey = Ajouter une clé d’accès
passkey-name-label = Un nom, par exemple « portable »
passkeys-need-script = Ce navigateur n’affiche pas de clés d’accès ici : elles demandent JavaScript et un navigateur qui les connaît.
new-passkey-line = Votre navigateur demande maintenant la clé d’accès « { $name } ».
make-passkey = Créer la clé d’accès
use-passkey = Utiliser une clé d’accès
confirm-by-passkey = Confirmer avec une clé d’accès
passkey-failed = Le navigateur n’a fourni aucune clé d’accès. Réessayez, ou utilisez un code.
passkey-refused = La clé d’accès n’a pas été acceptée. Réessayez, ou utilisez un code.
sign-in-by-passkey = Se connecter avec une clé d’accès
passkey-sign-in-failed = Le navigateur n’a fourni aucune clé d’accès. Réessayez, ou connectez-vous avec votre nom et votre mot de passe.
passkey-sign-in-refused = La clé d’accès n’a pas été acceptée. Réessayez, ou connectez-vous avec votre nom et votre mot de passe.
passkey-not-verified = Cette clé d’accès ne demande ni code PIN ni biométrie : elle ne vous connecte donc pas seule. Connectez-vous avec votre nom et votre mot de passe, puis utilisez-la à la place du code.
passkey-registered = Cette clé d’accès est déjà configurée.
passkeys-need-passkey = Connectez-vous avec une clé d’accès ou un code de récupération pour modifier vos clés d’accès, vos codes de récupération ou le second facteur.
passkeys-not-available = Les clés d’accès ne sont pas disponibles ici. Demandez à l’administrateur.
too-many-passkeys = Il y a { $most } clés d’accès, le maximum : supprimez-en d’abord une.
page-needs-passkey = La page demandée exige une clé d’accès. Un code vous connecte, mais ne l’ouvre pas.
page-needs-new-passkey = La page demandée exige une clé d’accès, et vous n’en avez pas encore. Connectez-vous avec un code, puis ajoutez-en une sur la page de votre compte.
admin-needs-passkey = Pour l’administration, votre compte exige une clé d’accès. Connectez-vous avec une clé ; si vous n’en avez pas encore, ajoutez-en une sur la page de votre compte.
add-needed-passkey = Il vous faut une clé d’accès, et vous n’en avez pas encore. Ajoutez-en une ici, puis connectez-vous avec elle.
remove-passkey = Supprimer une clé d’accès
remove-passkey-line = « { $name } » ne vous connectera plus, et toutes les autres sessions et tous les navigateurs de confiance prennent fin.
passkey-removed = Clé d’accès supprimée
passkey-removed-line = Elle ne vous connecte plus. Toutes les autres sessions et tous les navigateurs de confiance ont pris fin.
admin-remove-passkey-line = La clé d’accès ne connecte plus l’utilisateur, et toutes les sessions et tous les navigateurs de confiance du compte prennent fin.
passkey-code = Code pour un terminal
passkey-code-line = Une clé d’accès crée un code pour une seule demande de ssh ou de sudo. Il est valable 90 secondes, une fois, et remplace un code antérieur.
make-passkey-code = Créer un code avec une clé d’accès
passkey-code-made = Votre code
passkey-code-shown = Saisissez ce code là où ssh ou sudo demande un code de vérification.
passkey-code-until = Expiration : { $at }.
passkey-code-care = Ne le donnez à personne : seule une demande que vous avez ouverte vous-même en a besoin.
another-passkey-code = Créer un autre code
passkey-code-none = Un code demande une clé d’accès dont l’appareil vous vérifie, par code PIN ou empreinte. Ajoutez-en d’abord une.

# approval
approve = Approuver une connexion
approve-line = N’approuvez que si vous vous connectez là en ce moment et que votre propre invite affiche le nombre que vous saisissez ici.
approve-warning = Si quelqu’un vous a envoyé cette adresse ou le nombre, c’est une attaque : choisissez « Ce n’était pas moi ».
approve-host = Machine
approve-service = Service PAM
approve-from = Depuis
approve-account = Compte
approve-user = Connexion de
approve-time = Heure
approve-asked = demandé { $at }
approve-number = Le nombre affiché à l’invite
approve-by-passkey = Approuver avec une clé d’accès
approve-no-passkey = Le navigateur n’a pas fourni de clé d’accès. Réessayez, ou saisissez un code à l’invite.
not-me = Ce n’était pas moi
approved = Approuvé
approved-line = Appuyez maintenant sur Entrée à l’invite de { $service } sur { $host }.
approval-wrong-number = Le nombre était faux, et la demande est refusée. Recommencez à l’invite.
approval-unknown = Aucune demande de ce type
approval-unknown-line = Il n’y a rien à approuver ici pour votre compte : la demande a pris fin, ou n’est pas la vôtre. Recommencez à l’invite.
approval-refused = Refusé
approval-refused-line = La demande est refusée et figure dans le journal.
approval-refused-advice = L’auteur de la demande a passé votre premier facteur, comme votre mot de passe ou une clé : changez-le et prévenez l’administration.
