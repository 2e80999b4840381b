//! What a session may learn from its process's environment.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use aio_core::RequestUrl;

use crate::no_proxy;

/// The environment as an argument: proxy variables and where the netrc file is.
///
/// ```
/// use aio_client::Environment;
///
/// let environment = Environment::from_pairs([("http_proxy", "http://proxy:3128")]);
/// assert_eq!(environment.proxy("http"), Some("http://proxy:3128"));
/// ```
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
}

/// The variables that mean something to a session.
const KNOWN: [&str; 9] = [
    "http_proxy",
    "https_proxy",
    "ws_proxy",
    "wss_proxy",
    "all_proxy",
    "no_proxy",
    "netrc",
    "home",
    "request_method",
];

impl Environment {
    /// Reads the variables of this process that mean something to a session.
    pub fn from_process() -> Self {
        let known = |name: &str| KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known));
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables = std::env::vars_os().filter_map(text);
        Self {
            variables: variables.filter(|(name, _)| known(name)).collect(),
        }
    }

    /// Makes one of given variables only.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: pairs.collect(),
        }
    }

    /// Returns the proxy named for a URL scheme, such as `http`; the variable in lower
    /// case goes first.
    pub fn proxy(&self, scheme: &str) -> Option<&str> {
        self.either_case(&format!("{scheme}_proxy"))
    }

    /// Returns the proxy named for requests to `url`: the one for its scheme, else
    /// `all_proxy`; none where `no_proxy` has its host.
    ///
    /// ```
    /// use aio_client::{Environment, RequestUrl};
    ///
    /// let pairs = [("all_proxy", "http://proxy:3128"), ("no_proxy", "b.test,10.0.0.0/8")];
    /// let environment = Environment::from_pairs(pairs);
    /// let proxy = |url| Ok(environment.proxy_for(&RequestUrl::parse(url)?).is_some());
    /// assert!(proxy("https://a.test/")?);
    /// assert!(!proxy("https://x.b.test/")? && !proxy("http://10.1.2.3/")?);
    /// # Ok::<(), aio_client::UrlError>(())
    /// ```
    pub fn proxy_for(&self, url: &RequestUrl) -> Option<&str> {
        let bypassed = |list| no_proxy::has(list, url);
        if self.no_proxy().is_some_and(bypassed) {
            return None;
        }
        let variable = format!("{}_proxy", url.scheme_str());
        // Set to nothing, the one for the scheme means none.
        let proxy = self.value(&variable).or_else(|| self.value("all_proxy"))?;
        Some(proxy).filter(|proxy| !proxy.is_empty())
    }

    /// Returns the hosts that no proxy is to be used for.
    pub fn no_proxy(&self) -> Option<&str> {
        self.either_case("no_proxy")
    }

    /// Returns where the netrc file is: `NETRC`, or `.netrc` in the home directory.
    pub fn netrc_path(&self) -> Option<PathBuf> {
        let home = || {
            self.variables
                .get("HOME")
                .map(|home| Path::new(home).join(".netrc"))
        };
        self.variables.get("NETRC").map(PathBuf::from).or_else(home)
    }

    /// Tells whether a variable says where the netrc file is.
    pub(crate) fn names_netrc(&self) -> bool {
        self.variables.contains_key("NETRC")
    }

    fn either_case(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    fn value(&self, name: &str) -> Option<&str> {
        // CON-92: in a CGI program HTTP_PROXY comes from the request.
        let cgi = name == "http_proxy" && self.variables.contains_key("REQUEST_METHOD");
        let upper = || self.variables.get(&name.to_uppercase()).filter(|_| !cgi);
        self.variables.get(name).or_else(upper).map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    /// Shows which variables there are; a proxy's URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.variables.keys().collect();
        names.sort();
        f.debug_tuple("Environment").field(&names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_goes_first_and_empty_counts_as_absent() {
        let environment = Environment::from_pairs([
            ("HTTP_PROXY", "upper"),
            ("http_proxy", "lower"),
            ("HTTPS_PROXY", "upper"),
            ("ws_proxy", ""),
        ]);
        assert_eq!(environment.proxy("http"), Some("lower"));
        assert_eq!(environment.proxy("https"), Some("upper"));
        assert_eq!(environment.proxy("ws"), None);
    }

    #[test]
    fn a_cgi_program_takes_no_proxy_from_its_request() {
        let pairs = [
            ("HTTP_PROXY", "evil"),
            ("HTTPS_PROXY", "good"),
            ("REQUEST_METHOD", "GET"),
        ];
        let environment = Environment::from_pairs(pairs);
        assert_eq!(environment.proxy("http"), None);
        assert_eq!(environment.proxy("https"), Some("good"));
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], url: &str, want: Option<&str>) {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let url = RequestUrl::parse(url).expect("a URL");
        assert_eq!(environment.proxy_for(&url), want, "{pairs:?} {url}");
    }

    #[test]
    fn the_proxy_of_a_url_goes_by_its_scheme() {
        let all = ("all_proxy", "all");
        check(&[("http_proxy", "h"), all], "http://a.test/", Some("h"));
        check(&[("http_proxy", "h"), all], "https://a.test/", Some("all"));
        check(&[("http_proxy", "h")], "ws://a.test/", None);
        check(&[("WSS_PROXY", "w")], "wss://a.test/", Some("w"));
        check(
            &[("http_proxy", ""), ("HTTP_PROXY", "h"), all],
            "http://a.test/",
            None,
        );
        check(&[all, ("NO_PROXY", "test")], "http://a.test/", None);
        let cgi = ("REQUEST_METHOD", "GET");
        check(
            &[("HTTP_PROXY", "evil"), cgi, all],
            "http://a.test/",
            Some("all"),
        );
    }

    #[test]
    fn netrc_is_in_the_home_directory_unless_named() {
        let home = Environment::from_pairs([("HOME", "/home/ada")]);
        assert_eq!(home.netrc_path(), Some(PathBuf::from("/home/ada/.netrc")));
        let named = Environment::from_pairs([("HOME", "/home/ada"), ("NETRC", "/x")]);
        assert_eq!(named.netrc_path(), Some(PathBuf::from("/x")));
    }

    #[test]
    fn debug_hides_values() {
        let environment = Environment::from_pairs([("http_proxy", "http://user:secret@proxy")]);
        assert_eq!(format!("{environment:?}"), "Environment([\"http_proxy\"])");
    }
}
