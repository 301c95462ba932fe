// Asks the browser for a passkey: to register one, to sign in, or to confirm an act. The forms are hidden without a
// script, and where the browser has no passkeys. What the browser answers is sent with the form.
"use strict";
const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const decodeIds = (list) => list.map((one) => ({ ...one, id: decode(one.id) }));

const create = async (options) => {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: decodeIds(options.excludeCredentials),
    },
  });
  const { clientDataJSON, attestationObject } = made.response;
  return answer(made, { clientDataJSON: encode(clientDataJSON), attestationObject: encode(attestationObject) });
};

const get = async (options) => {
  const used = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      allowCredentials: decodeIds(options.allowCredentials),
    },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = used.response;
  return answer(used, {
    clientDataJSON: encode(clientDataJSON),
    authenticatorData: encode(authenticatorData),
    signature: encode(signature),
    userHandle: userHandle ? encode(userHandle) : null,
  });
};

const answer = (credential, response) =>
  JSON.stringify({ rawId: encode(credential.rawId), type: credential.type, response });

const isThere = Boolean(window.PublicKeyCredential);
for (const note of document.querySelectorAll("[data-no-passkeys]")) note.hidden = isThere;

// A form of its own, or a button in the form of an act, which has fields for a password and a code too.
for (const place of isThere ? document.querySelectorAll("[data-create], [data-get]") : []) {
  place.hidden = false;
  const button = place.querySelector("button");
  const form = place.closest("form");
  let isDone = false;
  const ask = async (event) => {
    if (isDone) return;
    event.preventDefault();
    const failed = document.querySelector("[data-failed]");
    if (failed) failed.hidden = true;
    button.disabled = true;
    try {
      const { create: toCreate, get: toGet } = place.dataset;
      form.elements.passkey.value = toCreate ? await create(JSON.parse(toCreate)) : await get(JSON.parse(toGet));
    } catch {
      // the user cancelled, or no passkey of the account is at hand
      if (failed) failed.hidden = false;
      return;
    } finally {
      button.disabled = false;
    }
    const trust = document.querySelector("input[type=checkbox][name=trust]");
    if (form.elements.trust && trust && trust.checked) form.elements.trust.value = "yes";
    isDone = true;
    form.noValidate = true;
    form.requestSubmit();
  };
  // A page that the browser shows again, from where it went back to, asks again.
  addEventListener("pageshow", () => {
    isDone = false;
    form.noValidate = false;
    form.elements.passkey.value = "";
  });
  if (place === form) form.addEventListener("submit", ask);
  else button.addEventListener("click", ask);
}
