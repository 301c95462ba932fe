//! The language of a page: the one that the user chose, or negotiated by Accept-Language. The texts are in `gate/texts`, one Fluent
//! file per language. A text that a language lacks is shown in English.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{NegotiationStrategy, negotiate_languages};
use hyper::HeaderMap;
use hyper::header::ACCEPT_LANGUAGE;
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;

/// Tag and Fluent source of every language.
const CATALOGUE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/languages.rs"));
const DEFAULT: &str = "en";
/// Limits on Accept-Language, in bytes and in languages.
const MAX_HEADER_LENGTH: usize = 1024;
const MAX_LANGUAGES: usize = 32;

static ENGLISH: LazyLock<Language> = LazyLock::new(|| Language::load(DEFAULT));
static OTHERS: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let tags = CATALOGUE
        .iter()
        .map(|(tag, _)| *tag)
        .filter(|tag| *tag != DEFAULT);
    tags.map(Language::load).collect()
});

pub(crate) struct Language {
    tag: LanguageIdentifier,
    texts: FluentBundle<FluentResource>,
}

impl Language {
    /// Returns the language that the browser prefers among those of the catalogue.
    pub(crate) fn negotiate(headers: &HeaderMap) -> &'static Language {
        let header = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let available: Vec<_> = OTHERS
            .iter()
            .chain([&*ENGLISH])
            .map(|language| &language.tag)
            .collect();
        let (preferred, english) = (parse_accept_language(header), &ENGLISH.tag);
        let lookup = NegotiationStrategy::Lookup;
        let found = negotiate_languages(&preferred, &available, Some(&english), lookup);
        let is_found =
            |language: &&Language| found.first().is_some_and(|tag| **tag == &language.tag);
        OTHERS.iter().find(is_found).unwrap_or(&*ENGLISH)
    }

    /// Returns the language with this tag, as [`Language::tag`] writes it.
    pub(crate) fn find(tag: &str) -> Option<&'static Language> {
        Language::all().find(|language| language.tag() == tag)
    }

    /// Returns every language, in the order of their tags.
    pub(crate) fn all() -> impl Iterator<Item = &'static Language> {
        let mut all: Vec<&Language> = OTHERS.iter().chain([&*ENGLISH]).collect();
        all.sort_by_key(|language| language.tag());
        all.into_iter()
    }

    /// Returns the tag and the own name of every language.
    pub(crate) fn choices(&self) -> Vec<(String, String)> {
        Language::all()
            .map(|language| (language.tag(), language.text("language-name")))
            .collect()
    }

    fn load(tag: &'static str) -> Language {
        let source = CATALOGUE
            .iter()
            .find(|(named, _)| *named == tag)
            .map_or("", |(_, source)| source);
        // a test parses every file; of one with an error the remaining texts are used
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(rest, _)| rest);
        let tag: LanguageIdentifier = tag.parse().unwrap_or_default();
        let mut texts = FluentBundle::new_concurrent(vec![tag.clone()]);
        // isolation marks around arguments are not needed: names are short and written from left to
        // right
        texts.set_use_isolating(false);
        texts.add_resource_overriding(resource);
        Language { tag, texts }
    }

    /// Returns the tag as HTML and HTTP write it.
    pub(crate) fn tag(&self) -> String {
        self.tag.to_string()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.format(name, None)
    }

    /// Returns a text with one argument.
    pub(crate) fn text_with<'a>(
        &self,
        name: &str,
        argument: &str,
        value: impl Into<FluentValue<'a>>,
    ) -> String {
        self.text_with_all(name, &[(argument, value.into())])
    }

    /// Returns a text with several arguments.
    pub(crate) fn text_with_all(&self, name: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        let arguments: FluentArgs<'_> = values
            .iter()
            .map(|(argument, value)| ((*argument).to_owned(), value.clone()))
            .collect();
        self.format(name, Some(&arguments))
    }

    fn format(&self, name: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let own = self.texts.get_message(name).map(|message| (self, message));
        let found = own.or_else(|| {
            ENGLISH
                .texts
                .get_message(name)
                .map(|message| (&*ENGLISH, message))
        });
        match found.and_then(|(language, message)| Some((language, message.value()?))) {
            Some((language, pattern)) => language
                .texts
                .format_pattern(pattern, arguments, &mut Vec::new())
                .into_owned(),
            None => name.to_owned(),
        }
    }
}

/// Parses Accept-Language, the preferred language first.
fn parse_accept_language(header: &str) -> Vec<LanguageIdentifier> {
    let header = if header.len() > MAX_HEADER_LENGTH {
        ""
    } else {
        header
    };
    let mut preferred: Vec<(LanguageIdentifier, f32)> = Vec::new();
    for entry in header.split(',').take(MAX_LANGUAGES) {
        let (tag, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|weight| weight.parse::<f32>().ok());
        if let (Ok(tag), Some(weight)) = (tag.trim().parse(), weight) {
            if weight > 0.0 {
                preferred.push((tag, weight));
            }
        }
    }
    preferred.sort_by(|one, other| other.1.total_cmp(&one.1));
    preferred.into_iter().map(|(tag, _)| tag).collect()
}

mod messages;
#[cfg(test)]
mod tests;
