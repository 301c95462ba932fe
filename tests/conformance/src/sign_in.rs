//! A sign-in by the steps of the target file.

use crate::case::{CaseResult, NotPassed};
use crate::net::browser::{Browser, NAVIGATE};
use crate::net::reply::Reply;
use crate::net::url::Url;
use crate::target::{Account, Step, Target};

/// The sign-in of one account.
pub(crate) struct SignInRun<'a> {
    target: &'a Target,
    account: &'a Account,
    /// The page asked for.
    rd: String,
}

/// How the last step ended.
pub(crate) struct StepEnded {
    pub(crate) reply: Reply,
    /// Whether its status is one of those that the target file expects.
    pub(crate) as_expected: bool,
}

impl<'a> SignInRun<'a> {
    pub(crate) fn new(target: &'a Target, account: &'a Account) -> SignInRun<'a> {
        SignInRun {
            target,
            account,
            rd: target.application.url.to_string(),
        }
    }

    /// Returns the same sign-in with another page asked for.
    pub(crate) fn with_rd(mut self, rd: &str) -> SignInRun<'a> {
        rd.clone_into(&mut self.rd);
        self
    }

    /// Gives the password. Fails if it is refused.
    pub(crate) fn password(&self, browser: &mut Browser) -> CaseResult<Reply> {
        let ended = self.try_password(browser, &self.account.password)?;
        self.expected("the password", ended)
    }

    /// Gives the code. Fails if it is refused.
    pub(crate) fn code(&self, browser: &mut Browser, code: &str) -> CaseResult<Reply> {
        let ended = self.try_code(browser, code)?;
        self.expected("the code", ended)
    }

    /// Gives the code, and asks to trust this browser. Fails if it is refused.
    pub(crate) fn code_and_trust(&self, browser: &mut Browser, code: &str) -> CaseResult<Reply> {
        let ended = self.take(&self.target.sign_in.trust, browser, "", code)?;
        self.expected("the code", ended)
    }

    /// Sends a password, valid or not.
    pub(crate) fn try_password(
        &self,
        browser: &mut Browser,
        password: &str,
    ) -> CaseResult<StepEnded> {
        self.take(&self.target.sign_in.password, browser, password, "")
    }

    /// Sends a code, valid or not.
    pub(crate) fn try_code(&self, browser: &mut Browser, code: &str) -> CaseResult<StepEnded> {
        self.take(&self.target.sign_in.code, browser, "", code)
    }

    pub(crate) fn sign_out(&self, browser: &mut Browser) -> CaseResult<Reply> {
        let ended = self.take(&self.target.sign_in.sign_out, browser, "", "")?;
        self.expected("the sign-out", ended)
    }

    fn expected(&self, what: &str, ended: StepEnded) -> CaseResult<Reply> {
        if ended.as_expected {
            return Ok(ended.reply);
        }
        let user = &self.account.user;
        let summary = ended.reply.summary();
        let message = format!("{what} of {user} is refused: {summary}");
        Err(NotPassed::Failed(message))
    }

    fn take(
        &self,
        steps: &[Step],
        browser: &mut Browser,
        password: &str,
        code: &str,
    ) -> CaseResult<StepEnded> {
        let mut before = Reply::default();
        let mut as_expected = true;
        for step in steps {
            let fill = |text: &str| {
                text.replace("{user}", &self.account.user)
                    .replace("{password}", password)
                    .replace("{code}", code)
            };
            let (method, path) = step.request.split_once(' ').unwrap_or(("GET", "/"));
            let path = fill(path).replace("{rd}", &encoded(&self.rd));
            let url = page(self.target, &path);
            let mut fields: Vec<(String, String)> = Vec::new();
            for name in &step.hidden {
                let value = hidden_field(&before.text(), name);
                fields.push((name.clone(), value.unwrap_or_default()));
            }
            for (name, value) in &step.form {
                fields.push((name.clone(), fill(value).replace("{rd}", &self.rd)));
            }
            let reply = if method == "POST" {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(n, v)| (n.as_str(), v.as_str()))
                    .collect();
                browser.send_form(&url, &fields)?
            } else {
                browser.request(method, &url, NAVIGATE, b"")?
            };
            as_expected = step.status.contains(&reply.status);
            before = reply;
            if !as_expected {
                break;
            }
        }
        Ok(StepEnded {
            reply: before,
            as_expected,
        })
    }
}

fn page(target: &Target, path: &str) -> Url {
    let mut url = target.gate.url.clone();
    let path = path.trim_start_matches('/');
    url.target = format!("{}/{path}", url.target.trim_end_matches('/'));
    url
}

/// Encodes a value for a query.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Returns the value of an input field of a page.
pub(crate) fn hidden_field(page: &str, name: &str) -> Option<String> {
    let mut inputs = page.split("<input").skip(1);
    inputs.find_map(|rest| {
        let tag = rest.split('>').next()?;
        let named = attribute(tag, "name")? == name;
        named.then(|| attribute(tag, "value").unwrap_or_default())
    })
}

/// Returns the value of an attribute of a tag, without the escapes of HTML.
pub(crate) fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let (before, after) = rest.split_once(&format!("{name}="))?;
        rest = after;
        if !before.ends_with([' ', '\n', '\t']) {
            continue;
        }
        let quote = after.chars().next()?;
        let value = match quote {
            '"' | '\'' => after[1..].split(quote).next()?,
            _ => after.split([' ', '>']).next()?,
        };
        return Some(unescaped(value));
    }
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (escape, letter) in [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escape, letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_any_spelling() {
        let page = "<form><input name=a value='1'><input type=\"hidden\" data-name=\"b\" \
                    name=\"b\" value=\"x&#38;y\"><input name=c>";
        assert_eq!(hidden_field(page, "a").as_deref(), Some("1"));
        assert_eq!(hidden_field(page, "b").as_deref(), Some("x&y"));
        assert_eq!(hidden_field(page, "c").as_deref(), Some(""));
        assert_eq!(hidden_field(page, "d"), None);
    }
}
