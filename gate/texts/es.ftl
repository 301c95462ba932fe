# Spanish

continue = Continuar
sign-out = Cerrar sesión
one-time-code-label = Código de un solo uso
app-code-label = El código que muestra su aplicación
language = Idioma
language-name = Español
signed-in-as = Sesión iniciada como { $name }

time-now = ahora mismo
time-minutes = { $count ->
    [one] hace { $count } minuto
   *[other] hace { $count } minutos
  }
time-hours = { $count ->
    [one] hace { $count } hora
   *[other] hace { $count } horas
  }
time-days = { $count ->
    [one] hace { $count } día
   *[other] hace { $count } días
  }
time-today = hoy { $time }
time-tomorrow = mañana { $time }
time-yesterday = ayer { $time }

sign-in = Iniciar sesión
name-label = Nombre
password-label = Contraseña
to-application = Para continuar hacia { $host }
address-too-long = La dirección que ha abierto es demasiado larga para conservarla aquí. Después de iniciar sesión llegará a la página de inicio de la aplicación; abra allí la dirección de nuevo.
sign-in-recovery = Introducir también un código de recuperación o de un solo uso
recovery-label = Código de recuperación o de un solo uso
not-signed-in = Sesión no iniciada
not-signed-in-line = No ha iniciado sesión.
refresh-token-used = Este token de actualización ya se había usado, así que es posible que otra persona tenga una copia. La sesión se ha cerrado; vuelva a iniciarla.
signed-out = Sesión cerrada
signed-out-line = Ha cerrado la sesión en este navegador.
no-session-to-end = Este navegador no envió ninguna sesión válida, así que no se cerró ninguna. Se han eliminado sus cookies.
session-not-ended = Se han eliminado las cookies de este navegador, pero no se pudo cerrar la sesión en el servidor: { $sessions }. Quien tenga una copia de la cookie puede usar la sesión hasta que caduque. Ciérrela más tarde en «Sesiones y navegadores» o avise al administrador.
cookies = Cookies contradictorias
cookies-line = Este navegador envía las cookies de más de una sesión, o demasiadas, y no está claro qué sesión vale. Es posible que las haya creado una página de otro servidor de este dominio.
cookies-remove = Eliminar las cookies
cookies-removed = Se han eliminado las cookies de este dominio. Vuelva a iniciar sesión. Si esta página aparece de nuevo, avise al administrador.
not-covered = No se puede iniciar sesión para esta dirección
not-covered-line = Una sesión iniciada aquí no es válida para la aplicación { $host }.
not-covered-ask = Avise al administrador: el registro de la puerta de enlace indica qué ajuste debe cambiarse.
try-again = Intentarlo de nuevo
denied = Acceso denegado
denied-user = Ha iniciado sesión como { $name }. Esta cuenta no puede abrir esta página de { $host }.
denied-line = Nadie puede abrir esta página de { $host } desde aquí.
denied-ask = Si la necesita, diríjase al administrador: el registro de la puerta de enlace indica qué regla se aplica.
page-not-found = Página no encontrada
page-not-found-line = Esta página no existe aquí, o usted no puede abrirla.
signed-in = Sesión iniciada
sign-in-refused = El nombre o la contraseña no son correctos, o ha habido demasiados intentos. Compruebe ambos, espere un poco e inténtelo de nuevo.
identity-missing = Falta el nombre de usuario
identity-missing-line = El servidor que está delante de esta página debe enviar su nombre de usuario y no lo ha hecho. Avise al administrador: el registro de la puerta de enlace indica el motivo.

code = Código de verificación
trust-browser = Confiar en este navegador durante { $days ->
    [one] un día
   *[other] { $days } días
  }
mailed-code-label = El código que recibió por correo
app-or-mailed-code-label = El código que muestra su aplicación o que recibió por correo
mail-code = Enviar un código a { $to }
enter-app-code = Introducir un código de su aplicación
enter-mailed-code = Introducir un código recibido por correo
enter-other-code = Introducir otro tipo de código
code-for = Inicio de sesión como { $name }
not-you = ¿No es su cuenta, o ha caducado el inicio de sesión?
start-again = Empezar de nuevo
wait-left = El próximo intento será posible dentro de { $seconds } s.
wait-over = Ya puede volver a intentarlo.

enroll = Configurar su segundo factor
enroll-line = Escanee esto con una aplicación de autenticación y, después, introduzca el código que muestra la aplicación.
show-secret = Mostrar la clave secreta en su lugar
open-in-app = Abrir en una aplicación de este dispositivo
save-codes = Guarde sus códigos de recuperación
save-codes-line = Si pierde su teléfono, con cada uno de estos códigos puede iniciar sesión una vez, en lugar del código de la aplicación. No se volverán a mostrar.
save-code-line = Si pierde su teléfono, con este código puede iniciar sesión una vez; además, desactiva su segundo factor. No se volverá a mostrar.
app-password-needed = A partir de entonces, los programas que no pueden mostrar una página web, como los de archivos, calendarios o correo, necesitan una contraseña de aplicación.
codes-saved = Los he guardado donde puedo encontrarlos sin mi teléfono
turn-on = Activar el segundo factor
copy = Copiar
copied = Copiado
copy-named = Copiar: { $name }
download = Descargar
print = Imprimir
enrollment-required = Segundo factor obligatorio
enrollment-required-line = Esta cuenta debe tener un segundo factor y no tiene ninguno. Para configurarlo necesita un código de un solo uso; pídaselo al administrador.
enrollment-required-one-of = Esta cuenta debe tener un segundo factor y no tiene ninguno. Para configurarlo necesita un código de un solo uso; pídaselo a un administrador ({ $administrators }).
group = grupo { $name }
sign-in-other-name = Iniciar sesión con otro nombre
one-time-code-invalid = Esto no es un código de un solo uso: empieza por P-, seguido de 12 caracteres.
enrollment-expired = Esta configuración ha caducado, o la cuenta ha cambiado mientras tanto. No se ha cambiado nada; inicie sesión y empiece de nuevo.

step-up-required = Para esto se necesitan su contraseña y un código nuevo.
lost-phone = ¿Ha perdido su teléfono?
lost-phone-line = Durante los próximos 15 minutos puede configurar un autenticador nuevo en lugar del antiguo, o desactivar el segundo factor.
enroll-new = Configurar un autenticador nuevo
turn-off = Desactivar el segundo factor
turned-off = Segundo factor desactivado
turned-off-line = Su segundo factor está desactivado. Se han cerrado todas las demás sesiones y se han olvidado los navegadores de confianza.
turn-off-required = Esta cuenta debe tener un segundo factor: configure uno nuevo en su lugar.
account-declared = Este segundo factor está definido en un archivo de configuración; solo el administrador puede cambiarlo.
act-failed = No ha funcionado, o ya está desactivado. Avise al administrador: el registro de la puerta de enlace indica el motivo.
act-failed-title = No se ha cambiado nada

account = Su cuenta
to-account = Ir a su cuenta
cancel = Cancelar
second-factor = Segundo factor
on = Activado
on-since = Activado desde: { $since }
second-factor-off = Desactivado: su contraseña basta para iniciar sesión.
by-administrator = Configurado por el administrador
last-used = último uso: { $at }
not-used = todavía sin usar
remove = Eliminar
remove-named = Eliminar { $name }
recovery-codes = Códigos de recuperación
recovery-codes-line = { $left ->
    [0] No queda ninguno: no puede iniciar sesión sin su teléfono.
    [one] Queda { $left }.
   *[other] Quedan { $left }.
  }
mailed-codes = Códigos por correo
mailed-codes-on = Los códigos que pida se envían a { $to }.
mailed-codes-off = No recibe códigos por correo.
mail-notices = Correo
mail-notices-on = Lo que ocurre en su cuenta se comunica a { $to }.
mail-notices-off = No se envía ningún correo sobre su cuenta.
change-address = Cambiar la dirección
sign-ins = Sesiones y navegadores
sign-ins-count = { $sessions ->
    [one] { $sessions } sesión
   *[other] { $sessions } sesiones
  }, { $browsers ->
    [0] ningún navegador de confianza
    [one] { $browsers } navegador de confianza
   *[other] { $browsers } navegadores de confianza
  }
show-sign-ins = Mostrar sesiones y navegadores
own-password-label = Su contraseña
new-code-label = Un código nuevo
next-code = Acaba de usar un código, y cada código es válido una sola vez. Su aplicación mostrará el siguiente en { $seconds } s.
next-code-now = Su aplicación muestra ahora un código nuevo.
current-password-label = Su contraseña actual

turn-on-line = Con un segundo factor, su contraseña no basta para iniciar sesión: cada vez deberá introducir también un código que muestra una aplicación de su teléfono.
already-enrolled = Esta cuenta ya tiene un segundo factor.
no-second-factor = Esta cuenta no tiene segundo factor.
turn-off-line = Su contraseña bastará para iniciar sesión, aquí y en todos los demás servicios. Se eliminará la clave secreta, se cerrarán todas las demás sesiones y se olvidarán los navegadores de confianza.
replace = Reemplazar el autenticador
enroll-new-line = Para un teléfono nuevo, o tras una pérdida. El autenticador antiguo funciona hasta que se confirme el nuevo; entonces se cerrarán todas las demás sesiones y se olvidarán los navegadores de confianza.

add-authenticator = Añadir un autenticador
add-authenticator-line = Un segundo teléfono o un dispositivo generador de códigos. Cada uno funciona por separado.
authenticator-name-label = Un nombre, como «tableta»
hardware-token = Es un dispositivo generador de códigos
seed-label = Su clave secreta, en hexadecimal o Base32
code-change-label = El código cambia
every-seconds = cada { $seconds } segundos
at-each-press = cada vez que se pulsa el botón
digits-label = Número de dígitos
algorithm-label = Algoritmo
authenticator-added = Autenticador añadido
authenticator-added-line = Puede usarlo cada vez que inicie sesión. Se han cerrado todas las demás sesiones y se han olvidado los navegadores de confianza.
remove-authenticator = Eliminar un autenticador
remove-authenticator-line = Los códigos de «{ $name }» dejarán de ser válidos, se cerrarán todas las demás sesiones y se olvidarán los navegadores de confianza.
authenticator-removed = Autenticador eliminado
authenticator-removed-line = Sus códigos ya no son válidos. Se han cerrado todas las demás sesiones y se han olvidado los navegadores de confianza.
last-authenticator = Este es el único autenticador: añada antes otro o desactive el segundo factor.
secret-code-used = Esta clave secreta ya se usó aquí antes y este código ya se aceptó entonces: empiece de nuevo con el código siguiente.
token-invalid = Estos datos del dispositivo generador de códigos no son válidos: { $why }

new-codes = Crear códigos de recuperación nuevos
new-codes-line = Sus códigos actuales dejarán de ser válidos en cuanto confirme que ha guardado los nuevos.
use-new-codes = Usar estos códigos desde ahora
codes-renewed = Códigos de recuperación nuevos
codes-renewed-line = Los códigos nuevos son válidos; los anteriores ya no lo son.

app-passwords = Contraseñas de aplicación
app-passwords-line = Para programas que no pueden mostrar una página web, como los de archivos, calendarios o correo. Cada una es válida solo donde usted indique, y nunca para las páginas de esta cuenta.
app-passwords-count = { $count ->
    [0] No hay contraseñas de aplicación.
    [one] Hay { $count } contraseña de aplicación.
   *[other] Hay { $count } contraseñas de aplicación.
  }
manage-app-passwords = Administrar las contraseñas de aplicación
expires-at = caduca: { $at }
rename = Cambiar nombre
new-name-label = Nombre nuevo
revoke = Revocar
revoke-named = Revocar { $name }
new-app-password = Nueva contraseña de aplicación
app-password-name-label = Nombre del programa o dispositivo
app-suggestions = Teléfono, Tableta, Calendario, Archivos, Correo, git en el portátil
scope-label = Válida para
scope-other = Otras direcciones o servicios
scope-other-label = Direcciones o servicios, uno por línea
scope-hint = web:HOST/RUTA para una dirección web y todo lo que está debajo, o pam:SERVICIO para un servicio de este servidor.
scope-missing = Elija para qué es válida la contraseña de aplicación.
service-unknown = Este servidor no tiene ningún servicio PAM { $name }.
lifetime-label = Caducidad
days = { $days ->
    [one] después de { $days } día
   *[other] después de { $days } días
  }
never = nunca
create-app-password = Crear contraseña de aplicación
app-password-shown = Introduzca estos valores en los ajustes del programa. La contraseña se muestra una sola vez.
app-password-address = Dirección
app-password-service = Servicio
app-password-user = Nombre de usuario
app-password-spaces = Introduzca la contraseña con o sin los guiones.
app-password-until = Caducidad: { $at }.
app-password-saved = La he introducido
scope-invalid = Este ámbito no es válido: { $why }
scope-unknown = No existe el ámbito { $name }.
scope-of-gate = Una contraseña de aplicación no es válida para las páginas de la puerta de enlace: indique el nombre de host de la aplicación.
expiry-past = Esta fecha de caducidad ya ha pasado.

address-code-mailed = Se ha enviado un código a { $to }. Introdúzcalo aquí para recibir códigos en esta dirección.
confirm-address = Confirmar la dirección
new-address = Dirección nueva
address-label = Dirección
mail-address-code = Enviar un código a esta dirección
remove-address = Dejar de enviar códigos por correo
remove-address-line = No recibirá más códigos por correo, se cerrarán todas las demás sesiones y se olvidarán los navegadores de confianza. Si los códigos por correo son su único segundo factor, su contraseña bastará para iniciar sesión.
address-confirmed = Dirección confirmada
address-confirmed-line = A partir de ahora, los códigos que pida se envían a esta dirección. Se han cerrado todas las demás sesiones y se han olvidado los navegadores de confianza.
address-removed = Códigos por correo desactivados
address-removed-line = Ya no se envían códigos por correo; sus autenticadores siguen funcionando.
address-invalid = Esta dirección de correo no es válida.
address-needs-second-factor = Esta cuenta aún no tiene un segundo factor. Configure primero una aplicación de autenticación; para ello necesita un código de un solo uso. Pídaselo al administrador.
mail-off = El correo no está configurado aquí.
address-not-mailed = No se pudo enviar el código a esta dirección. Compruebe la dirección o inténtelo de nuevo; si el problema continúa, avise al administrador.
nothing-to-confirm = No hay ninguna dirección que confirmar: pida un código nuevo.

change-password = Cambiar su contraseña
change-password-line = Se cerrarán todas las demás sesiones y se olvidarán los navegadores de confianza.
new-password-label = Contraseña nueva
repeat-password-label = Repita la contraseña nueva
passwords-differ = Las dos contraseñas son distintas; no se ha cambiado nada.
password-changed = Contraseña cambiada
password-changed-line = Se han cerrado todas las demás sesiones y se han olvidado los navegadores de confianza.
password-too-short = Una contraseña debe tener al menos { $least } caracteres.
password-too-long = Una contraseña debe tener como máximo 1024 bytes.
password-common = Esta contraseña es una de las más comunes, que son las primeras que se prueban. Elija otra.
password-of-names = Esta contraseña se compone de su nombre o del nombre de este sitio, que es lo primero que se prueba. Elija otra.
password-elsewhere = Su contraseña no se administra aquí.
wrong-password = Esta contraseña no es correcta.

sessions = Sesiones
this-session = Esta sesión
session-details = { $from }; desde: { $created }, último uso: { $seen }
end-session = Cerrar
end-session-named = Cerrar la sesión en { $name }
sign-out-everywhere = Cerrar todas las sesiones
end-sessions = No he sido yo
end-sessions-line = Esto cierra todas las sesiones de { $user }, retira la confianza a todos los navegadores y revoca las contraseñas de aplicación si así está configurado. Usted también deberá iniciar sesión de nuevo.
ended-sessions = Sesiones cerradas en todas partes
ended-sessions-line = Todas las sesiones de la cuenta se han cerrado y ya no hay ningún navegador de confianza. Cambie ahora la contraseña, elimine los autenticadores y las contraseñas de aplicación que no sean suyos y avise a un administrador.
end-sessions-invalid = Este enlace ya no es válido
end-sessions-invalid-line = Es válido una sola vez y durante siete días. Para cerrar sesiones, inicie sesión y elija «Cerrar todas las sesiones» en su cuenta, o pregunte a un administrador.
trusted-browsers = Navegadores de confianza
no-trusted-browser = Ninguno: se pide un código en cada inicio de sesión.
revoke-trust = Dejar de confiar
revoke-trust-named = Dejar de confiar en { $name }
revoke-trust-all = Dejar de confiar en todos los navegadores
open-connections = Las conexiones abiertas, como un chat o una terminal en una página, continúan hasta que se cierren.

no-account = Esta cuenta no existe.
name-taken = Ya existe uno con este nombre.
not-found = Este elemento ya no existe.
too-many = Ya hay { $most }, que es el máximo.
too-many-app-passwords = Se ha alcanzado el número máximo de contraseñas de aplicación: revoque antes una.
name-invalid = Un nombre debe tener entre 1 y 64 caracteres.
stale = Esto ha tardado demasiado, o la cuenta ha cambiado mientras tanto. No se ha cambiado nada; empiece de nuevo.
other-spelling = Este nombre es otra forma de escribir el de una cuenta existente. Inicie sesión con el nombre exacto de la cuenta o consulte al administrador.

busy = Servicio ocupado
busy-line = Hay demasiadas personas iniciando sesión en este momento. Inténtelo de nuevo en un momento.
busy-address-line = Han llegado demasiadas solicitudes a la vez desde su dirección. Inténtelo de nuevo en un momento.
unavailable = Servicio no disponible
unavailable-line = El inicio de sesión no funciona en este momento. Avise al administrador: el registro de la puerta de enlace indica el motivo.

# for programs that use the API
unknown-endpoint = Este punto de conexión no existe; api/v1/openapi.json los enumera todos.
method-not-allowed = Este método no está permitido aquí; el encabezado Allow enumera los permitidos.
foreign-origin = Esta solicitud procede de una página de otro sitio.
not-json = El cuerpo debe ser JSON, con Content-Type: application/json.
json-malformed = El cuerpo no es un objeto JSON, o este punto de conexión no admite cuerpo.
json-schema = El JSON no se ajusta al esquema de api/v1/openapi.json, en la columna { $column }.
body-too-large = El cuerpo supera los 16 KiB.
body-too-slow = El cuerpo ha tardado más de 10 segundos en llegar.
proof-not-kept = La puerta de enlace comparte aquí su host con una aplicación y no guarda ninguna prueba: envíe la contraseña y el código con cada acción.
seed-missing = Los dígitos, el algoritmo, el período y el contador solo se permiten junto con una clave secreta; para una aplicación los fija la configuración de la puerta de enlace.
expiry-too-far = Esta fecha de caducidad está demasiado lejos.

# administration
administration = Administración
admin-find-label = Nombre o una parte de él
admin-find = Buscar
admin-accounts = Cuentas
admin-no-match = Ninguna cuenta coincide.
admin-more = Hay más: introduzca una parte más larga del nombre.
admin-locked = bloqueo tras demasiados códigos incorrectos
admin-off = Desactivado
admin-none = No hay ninguno.
admin-trusted = (de confianza)
admin-last-sign-in = Último inicio de sesión con un código: { $at }
admin-codes-left = { $left ->
    [one] Queda { $left } código de recuperación.
   *[other] Quedan { $left } códigos de recuperación.
  }
admin-code-until = Hay un código de un solo uso. Caducidad: { $until }.
admin-account = Cuenta: { $name }
admin-events = Eventos
admin-all-events = Eventos de todas las cuentas
admin-event = { $at }, servicio { $service }, desde { $from }, por { $by }
admin-older = Anteriores
admin-unlock = Quitar esperas y bloqueos
admin-unlock-line = Los códigos incorrectos introducidos hasta ahora dejan de contar, en todos los servicios.
admin-reset-clock = Restablecer tras un error del reloj del servidor
admin-reset-clock-line = Vuelve a aceptar códigos después de que el reloj del servidor se adelantara y se corrigiera. Las cuentas no afectadas no cambian.
admin-end-sessions = Cerrar todas las sesiones
admin-revoke-trust-line = El próximo inicio de sesión en cada uno de estos navegadores pedirá un código.
admin-issue-code = Emitir un código de un solo uso
admin-issue-code-line = Con él, la persona puede iniciar sesión una vez en un plazo de 48 horas, en lugar del código de la aplicación. Se muestra una sola vez. Los códigos de un solo uso anteriores dejan de ser válidos. Asegúrese de que lo reciba la persona correcta.
admin-cancel-code = Cancelar el código de un solo uso
admin-cancel-code-line = El código dejará de ser válido.
admin-disable-line = La contraseña bastará a esta persona para iniciar sesión en todos los servicios, salvo que la directiva exija más. Se eliminarán la clave secreta y los códigos de recuperación, se cerrarán todas las sesiones y se olvidarán los navegadores de confianza.
admin-disabled = El segundo factor está desactivado; se han eliminado la clave secreta y los códigos de recuperación.
admin-still-required = La directiva exige un segundo factor: con un código de un solo uso, la persona puede configurar uno nuevo.
admin-done = Hecho.
admin-done-count = { $count ->
    [0] No había nada que cambiar.
    [one] Hecho; se ha cambiado { $count } elemento.
   *[other] Hecho; se han cambiado { $count } elementos.
  }
admin-code-shown = Válido una sola vez. Caducidad: { $until }. No se volverá a mostrar.
admin-own-account = Esta es su propia cuenta: cámbiela en la página de su cuenta.
admin-needs-factor = Para administrar necesita un segundo factor propio: configure antes uno.

# messages of the engine; durations are given as "30 s", "5 min" or "2 h"
wrong-code = Este código no es correcto
code-used-now = Este código ya se ha usado; introduzca el que se muestra ahora
code-used = Este código ya se ha usado; espere { $wait } hasta el siguiente
device-clock-behind = Este código es demasiado antiguo: el reloj de su dispositivo va atrasado aproximadamente { $by }; ajústelo a la hora de la red
host-clock-behind = El reloj de este servidor marca una hora anterior a su último inicio de sesión; consulte al administrador
delayed = Demasiados códigos incorrectos: espere { $wait } o introduzca un código de recuperación
address-delayed = Demasiados intentos desde su dirección: espere { $wait }
locked = Bloqueo tras demasiados códigos incorrectos: introduzca un código de recuperación o consulte al administrador
not-a-code = Esto no es un código: introduzca los dígitos que muestra su aplicación o un código de recuperación
not-enrolled = Esta cuenta debe tener un segundo factor y no tiene ninguno; consulte al administrador
code-expired = Este código ha caducado; pida uno nuevo
sign-in-expired = Este inicio de sesión ha caducado; empiece de nuevo
no-mailed-codes = A esta cuenta no se le envían códigos por correo; introduzca otro tipo de código
mail-cooldown = Se acaba de enviar un código; espere { $wait } antes de pedir otro
mail-waits = En este momento no se envían correos; el código se enviará en cuanto sea posible de nuevo. Introduzca otro tipo de código o avise al administrador.
not-mailed = No se pudo enviar el código. Introduzca otro tipo de código o inténtelo de nuevo; si el problema continúa, avise al administrador.
code-mailed = Hay un código en camino a { $to }. Es válido durante { $life }; los códigos anteriores ya no son válidos.
wrong-codes-since = { $count ->
    [one] { $count } código incorrecto
   *[other] { $count } códigos incorrectos
  } desde su último inicio de sesión, el más reciente desde { $from }
this-host = este servidor
recovery-turned-off = Este código de recuperación ha desactivado su segundo factor; configúrelo de nuevo
recovery-codes-left = { $left ->
    [0] Este era su último código de recuperación; pida otros nuevos al administrador
    [one] Queda { $left } código de recuperación
   *[other] Quedan { $left } códigos de recuperación
  }
app-passwords-kept = { $count ->
    [one] { $count } contraseña de aplicación conservada
   *[other] { $count } contraseñas de aplicación conservadas
  }: los programas que usan contraseñas de aplicación siguen funcionando
app-passwords-revoked = { $count ->
    [one] { $count } contraseña de aplicación revocada
   *[other] { $count } contraseñas de aplicación revocadas
  }: cree otras nuevas

# passkeys
passkeys = Llaves de acceso
passkeys-line = Una llave de acceso está en su teléfono, su ordenador o una llave de seguridad. Inicia la sesión sin escribir ningún código y no funciona en un sitio falso. Su aplicación de autenticación sigue sirviendo para todo lo demás.
passkeys-count = { $count ->
    [0] No hay ninguna llave de acceso configurada.
    [one] Hay una llave de acceso configurada.
   *[other] Hay { $count } llaves de acceso configuradas.
 }
manage-passkeys = Administrar las llaves de acceso
add-passkey = Añadir una llave de acceso
passkey-name-label = Un nombre, por ejemplo «portátil»
passkeys-need-script = Este navegador no muestra llaves de acceso aquí: necesitan JavaScript y un navegador que las admita.
new-passkey-line = Su navegador pide ahora la llave de acceso «{ $name }».
make-passkey = Crear la llave de acceso
use-passkey = Usar una llave de acceso
confirm-by-passkey = Confirmar con una llave de acceso
passkey-failed = El navegador no entregó ninguna llave de acceso. Inténtelo de nuevo o use un código.
passkey-refused = La llave de acceso no fue aceptada. Inténtelo de nuevo o use un código.
sign-in-by-passkey = Iniciar sesión con una llave de acceso
passkey-sign-in-failed = El navegador no entregó ninguna llave de acceso. Inténtelo de nuevo o inicie la sesión con nombre y contraseña.
passkey-sign-in-refused = La llave de acceso no fue aceptada. Inténtelo de nuevo o inicie la sesión con nombre y contraseña.
passkey-not-verified = Esta llave de acceso no pide PIN ni biometría, por lo que no inicia la sesión por sí sola. Inicie la sesión con nombre y contraseña y úsela en lugar del código.
passkey-registered = Esta llave de acceso ya está configurada.
passkeys-need-passkey = Inicie sesión con una llave de acceso o un código de recuperación para cambiar sus llaves de acceso, sus códigos de recuperación o el segundo factor.
passkeys-not-available = Las llaves de acceso no están disponibles aquí. Pregunte al administrador.
too-many-passkeys = Hay { $most } llaves de acceso, el máximo: elimine primero una.
page-needs-passkey = La página solicitada necesita una llave de acceso. Un código inicia la sesión, pero no la abre.
page-needs-new-passkey = La página solicitada necesita una llave de acceso y usted aún no tiene ninguna. Inicie la sesión con un código y añada una en la página de su cuenta.
admin-needs-passkey = Para la administración, su cuenta necesita una llave de acceso. Inicie la sesión con una; si aún no tiene ninguna, añádala en la página de su cuenta.
add-needed-passkey = Necesita una llave de acceso y aún no tiene ninguna. Añada una aquí y después inicie la sesión con ella.
remove-passkey = Eliminar una llave de acceso
remove-passkey-line = «{ $name }» ya no iniciará la sesión, y terminan todas las demás sesiones y los navegadores de confianza.
passkey-removed = Llave de acceso eliminada
passkey-removed-line = Ya no inicia la sesión. Han terminado todas las demás sesiones y los navegadores de confianza.
admin-remove-passkey-line = La llave de acceso ya no inicia la sesión del usuario, y terminan todas las sesiones y los navegadores de confianza de la cuenta.
passkey-code = Código para un terminal
passkey-code-line = Una llave de acceso crea un código para una sola petición de ssh o sudo. Vale durante 90 segundos, una vez, y sustituye a uno anterior.
make-passkey-code = Crear un código con una llave de acceso
passkey-code-made = Su código
passkey-code-shown = Escriba este código donde ssh o sudo pida un código de verificación.
passkey-code-until = Caducidad: { $at }.
passkey-code-care = No se lo dé a nadie: solo lo necesita una petición que usted mismo abrió.
another-passkey-code = Crear otro código
passkey-code-none = Un código necesita una llave de acceso cuyo dispositivo le verifique, por PIN o huella. Añada primero una.

# approval
approve = Aprobar un inicio de sesión
approve-line = Apruebe esto solo si está iniciando sesión allí en este momento y su propio terminal muestra el número que escribe aquí.
approve-warning = Si alguien le ha enviado esta dirección o el número, es un ataque: pulse «No fui yo».
approve-host = Equipo
approve-service = Servicio
approve-from = Desde
approve-account = Cuenta
approve-user = Inicia sesión
approve-time = Hora
approve-asked = solicitado { $at }
approve-number = El número que muestra el terminal
approve-by-passkey = Aprobar con una llave de acceso
approve-no-passkey = El navegador no entregó ninguna llave de acceso. Inténtelo de nuevo o escriba un código en el terminal.
not-me = No fui yo
approved = Aprobado
approved-line = Pulse ahora Intro en el terminal, donde pregunta { $service } en { $host }.
approval-wrong-number = El número era incorrecto y la solicitud queda rechazada. Vuelva a empezar en el terminal.
approval-unknown = No existe tal solicitud
approval-unknown-line = Aquí no hay nada que aprobar para su cuenta: la solicitud ha terminado o no es suya. Vuelva a empezar en el terminal.
approval-refused = Rechazado
approval-refused-line = La solicitud queda rechazada y consta en el registro.
approval-refused-advice = Quien la hizo ha superado su primer factor, como su contraseña o una clave: cámbielo y avise a la administración.
