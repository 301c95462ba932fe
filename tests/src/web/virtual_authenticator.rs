//! An authenticator for passkeys inside Chromium: the WebDriver extension of W3C Web Authentication
//! (Level 3, section 11). It makes real keys and signatures, and plays the user's touch.

use super::chromium::Chromium;
use serde_json::{Value, json};

/// An authenticator of a browser. It ends with the browser.
pub struct VirtualAuthenticator<'a> {
    browser: &'a Chromium,
    id: String,
}

impl Chromium {
    /// Attaches an authenticator like the one in a phone: it keeps passkeys, and verifies its user.
    #[track_caller]
    pub fn with_authenticator(&self) -> VirtualAuthenticator<'_> {
        self.with_authenticator_of("internal", true)
    }

    /// Attaches a security key without PIN: it verifies no user.
    #[track_caller]
    pub fn with_security_key(&self) -> VirtualAuthenticator<'_> {
        self.with_authenticator_of("usb", false)
    }

    #[track_caller]
    fn with_authenticator_of(&self, transport: &str, verifies: bool) -> VirtualAuthenticator<'_> {
        let id = self.does(
            "webauthn/authenticator",
            &json!({
                "protocol": "ctap2",
                "transport": transport,
                "hasResidentKey": verifies,
                "hasUserVerification": verifies,
                "isUserConsenting": true,
                "isUserVerified": verifies,
            }),
        );
        VirtualAuthenticator {
            browser: self,
            id: id.as_str().expect("an id").to_owned(),
        }
    }
}

impl VirtualAuthenticator<'_> {
    fn at(&self, what: &str) -> String {
        format!("webauthn/authenticator/{}/{what}", self.id)
    }

    /// Returns the passkeys that it keeps, with their private keys.
    #[track_caller]
    pub fn passkeys(&self) -> Vec<Value> {
        let all = self.browser.says(&self.at("credentials"));
        all.as_array().expect("a list").clone()
    }

    /// Adds a passkey of another authenticator: a copy, as a thief would have it.
    #[track_caller]
    pub fn takes(&self, passkey: &Value) {
        self.browser.does(&self.at("credential"), passkey);
    }

    /// Says whether the user is recognized at the next requests.
    #[track_caller]
    pub fn recognizes_user(&self, is_verified: bool) {
        let wanted = json!({ "isUserVerified": is_verified });
        self.browser.does(&self.at("uv"), &wanted);
    }

    /// Detaches it: the device is lost, with its passkeys.
    #[track_caller]
    pub fn is_lost(self) {
        self.browser
            .deletes(&format!("webauthn/authenticator/{}", self.id));
    }
}
