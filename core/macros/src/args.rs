//! The arguments of the attributes of functions.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, bracketed, token};

use crate::krate::Crate;

/// What an attribute is called and takes.
pub(crate) struct Form {
    pub(crate) attribute: &'static str,
    /// Kind of the metric, if it makes its own.
    pub(crate) kind: &'static str,
    /// Arguments besides those that all attributes take.
    pub(crate) keys: &'static [&'static str],
    /// A use of the attribute, for error messages.
    pub(crate) example: &'static str,
}

/// Arguments that all attributes take.
const COMMON_KEYS: [&str; 3] = ["group", "help", "crate"];

/// The arguments of one attribute.
pub(crate) struct Args {
    pub(crate) krate: Crate,
    pub(crate) metric: Metric,
    pub(crate) clock: Option<Expr>,
    pub(crate) cancelled: Option<Expr>,
    /// Turns an error into a label.
    pub(crate) by: Option<Expr>,
}

/// Where an attribute records.
pub(crate) enum Metric {
    /// An expression for a handle.
    Handle(Expr),
    /// A metric of its own.
    Named(Named),
}

/// A metric that an attribute makes.
pub(crate) struct Named {
    /// May have one `{}`, for the name of the function.
    pub(crate) name: LitStr,
    /// What stands in brackets, as in `metrics!`.
    pub(crate) options: TokenStream,
    pub(crate) help: Option<LitStr>,
    /// Path of the constant that holds the group.
    pub(crate) group: Option<Path>,
}

/// Arguments that were read, before it is known whether they fit together.
#[derive(Default)]
struct Given {
    handle: Option<Expr>,
    name: Option<(LitStr, TokenStream)>,
    clock: Option<Expr>,
    cancelled: Option<Expr>,
    by: Option<Expr>,
    help: Option<LitStr>,
    group: Option<Path>,
    krate: Option<Path>,
}

impl Args {
    pub(crate) fn read(form: &Form, tokens: TokenStream) -> Result<Self> {
        let given = (|input: ParseStream<'_>| Given::parse(form, input)).parse2(tokens)?;
        let metric = match (given.handle, given.name) {
            (Some(handle), None) => {
                if let Some(help) = given.help {
                    return Err(Error::new(
                        help.span(),
                        "the metric of a handle has its help already",
                    ));
                }
                if let Some(group) = given.group {
                    let message = "the metric of a handle is in a group already";
                    return Err(Error::new_spanned(group, message));
                }
                Metric::Handle(handle)
            }
            (None, Some((name, options))) => {
                Metric::Named(Named { name, options, help: given.help, group: given.group })
            }
            _ => return Err(form.error("needs a handle or a name")),
        };
        let krate = given.krate.map_or_else(Crate::default, Crate::at);
        let Given { clock, cancelled, by, .. } = given;
        Ok(Self { krate, metric, clock, cancelled, by })
    }
}

impl Form {
    /// Returns an error about the attribute as a whole.
    pub(crate) fn error(&self, what: &str) -> Error {
        let Self { attribute, example, .. } = self;
        Error::new(Span::call_site(), format!("`{attribute}` {what}: `#[{attribute}({example})]`"))
    }

    fn known(&self) -> String {
        let keys = self.keys.iter().chain(&COMMON_KEYS);
        keys.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
    }
}

impl Given {
    fn parse(form: &Form, input: ParseStream<'_>) -> Result<Self> {
        let mut given = Self::default();
        while !input.is_empty() {
            if is_key(input) {
                let key = input.call(Ident::parse_any)?;
                input.parse::<Token![=]>()?;
                given.read(form, &key, input)?;
            } else {
                given.read_metric(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(given)
    }

    /// Reads the value of a key.
    fn read(&mut self, form: &Form, key: &Ident, input: ParseStream<'_>) -> Result<()> {
        let name = key.to_string();
        if !form.keys.contains(&name.as_str()) && !COMMON_KEYS.contains(&name.as_str()) {
            let message =
                format!("unknown argument `{name}`; `{}` takes {}", form.attribute, form.known());
            return Err(Error::new(key.span(), message));
        }
        match name.as_str() {
            "clock" => set(&mut self.clock, key, input.parse()?),
            "cancelled" => set(&mut self.cancelled, key, input.parse()?),
            "by" => set(&mut self.by, key, input.parse()?),
            "help" => set(&mut self.help, key, input.parse()?),
            "group" => set(&mut self.group, key, input.call(Path::parse_mod_style)?),
            _ => set(&mut self.krate, key, input.call(Path::parse_mod_style)?),
        }
    }

    /// Reads a handle, or a name with options.
    fn read_metric(&mut self, input: ParseStream<'_>) -> Result<()> {
        if self.handle.is_some() || self.name.is_some() {
            return Err(input.error("one metric is enough; use the attribute twice for two"));
        }
        if !input.peek(LitStr) {
            self.handle = Some(input.parse()?);
            return Ok(());
        }
        let name = input.parse()?;
        let mut options = TokenStream::new();
        if input.peek(token::Bracket) {
            let content;
            bracketed!(content in input);
            options = content.parse()?;
        }
        self.name = Some((name, options));
        Ok(())
    }
}

fn is_key(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==])
}

fn set<T>(place: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    if place.replace(value).is_some() {
        return Err(Error::new(key.span(), format!("`{key}` is given twice")));
    }
    Ok(())
}
