//! What a session may learn from its process's environment.

#[cfg(any(windows, test))]
mod registry;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use aio_connector::{Proxy, ProxyError};
use aio_core::RequestUrl;

use crate::error::ClientError;
use crate::no_proxy::NoProxy;

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
    // In order: of names that differ in case, those in upper case come first.
    variables: BTreeMap<String, String>,
    proxies: Vec<Named>,
    no_proxy: NoProxy,
}

/// A variable that names a proxy, read once for all requests.
#[derive(Clone)]
struct Named {
    scheme: &'static str,
    variable: Box<str>,
    /// As given; empty for none.
    url: Box<str>,
    proxy: Result<Proxy, ProxyError>,
}

/// The schemes that have a variable; `all` is for those without.
const SCHEMES: [&str; 5] = ["http", "https", "ws", "wss", "all"];

/// The variables that mean something to a session.
const KNOWN: [&str; 10] = [
    "http_proxy",
    "https_proxy",
    "ws_proxy",
    "wss_proxy",
    "all_proxy",
    "no_proxy",
    "netrc",
    "home",
    "userprofile",
    "request_method",
];

impl Environment {
    /// Reads the variables of this process that mean something to a session; on Windows,
    /// where none is about proxies, the user's settings are read as if they were variables.
    pub fn from_process() -> Self {
        of_process(known(std::env::vars_os()))
    }

    /// Makes one of given variables only.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self::of(pairs.collect())
    }

    fn of(variables: BTreeMap<String, String>) -> Self {
        let named = |scheme| {
            let (variable, url) = find(&variables, &format!("{scheme}_proxy"))?;
            Some(Named {
                scheme,
                variable: variable.into(),
                url: url.into(),
                proxy: proxy(url),
            })
        };
        let no_proxy = find(&variables, "no_proxy").map(|(_, list)| NoProxy::parse(list));
        Self {
            proxies: SCHEMES.into_iter().filter_map(named).collect(),
            no_proxy: no_proxy.unwrap_or_default(),
            variables,
        }
    }

    /// Returns the proxy named for a URL scheme, such as `http`; the variable in lower
    /// case goes first.
    pub fn proxy(&self, scheme: &str) -> Option<&str> {
        let named = self.named(scheme)?;
        Some(&*named.url).filter(|url| !url.is_empty())
    }

    /// Returns the proxy named for requests to `url`: the one for its scheme, else
    /// `all_proxy`; none where `no_proxy` has its host.
    ///
    /// Names of variables are in lower or upper case, and that in lower case goes first, even
    /// if it is set to nothing: then there is none. `HTTP_PROXY` does not count in a CGI
    /// program, which `REQUEST_METHOD` tells. As in aiohttp, a proxy's URL must have its
    /// scheme; curl takes `proxy:3128` for `http://proxy:3128`.
    ///
    /// `no_proxy` is read as Python reads it, and takes more:
    ///
    /// | entry | stands for | elsewhere |
    /// |---|---|---|
    /// | `*`, alone | all hosts | Go: also among others |
    /// | `a.test`, `.a.test` | the host and all below it, in any case, beyond ASCII as well | Go: with a dot only those below |
    /// | `a.test:8080`, `[::1]:8080` | those, at this port | not in curl; in aiohttp nothing |
    /// | `10.1.2.3`, `::1`, `[::1]` | this address, however it is spelled, IPv4 within IPv6, too; no name that has it | Python compares text |
    /// | `10.0.0.0/8`, `fd00::/8` | the addresses with this prefix | not in Python |
    /// | `<local>` | names without a dot | Windows only |
    /// | `*.a.test`, `a.test.`, `10.*` | nothing | Go takes the first, curl the second |
    ///
    /// Entries are separated by commas or, as in curl, blanks. `localhost` and loopback
    /// addresses go by the list like all others; Go never uses a proxy for them.
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
        Some(&*self.named_for(url)?.url)
    }

    /// Gives the same, to be used.
    ///
    /// # Errors
    /// If the variable names no proxy: to go on without it is to show strangers what was to
    /// be hidden.
    pub(crate) fn find_proxy(&self, url: &RequestUrl) -> Result<Option<&Proxy>, ClientError> {
        let Some(named) = self.named_for(url) else {
            return Ok(None);
        };
        let proxy = named.proxy.as_ref();
        proxy
            .map(Some)
            .map_err(|error| ClientError::EnvironmentProxy {
                variable: named.variable.clone(),
                source: Box::new(error.clone()),
            })
    }

    fn named_for(&self, url: &RequestUrl) -> Option<&Named> {
        // A socket of this machine is no matter of proxies.
        if matches!(url.scheme_str(), "unix" | "npipe") {
            return None;
        }
        // Set to nothing, the one for the scheme means none.
        let named = self.named(url.scheme_str()).or_else(|| self.named("all"));
        named.filter(|named| !named.url.is_empty() && !self.no_proxy.has(url))
    }

    fn named(&self, scheme: &str) -> Option<&Named> {
        self.proxies.iter().find(|named| named.scheme == scheme)
    }

    /// Returns what the variable `no_proxy` says.
    pub fn no_proxy(&self) -> Option<&str> {
        let (_, list) = find(&self.variables, "no_proxy")?;
        Some(list).filter(|list| !list.is_empty())
    }

    /// Returns where the netrc file is: `NETRC`, or `.netrc` in the home directory, on
    /// Windows `_netrc`.
    pub fn netrc_path(&self) -> Option<PathBuf> {
        let (home, file) = match cfg!(windows) {
            true => ("USERPROFILE", "_netrc"),
            false => ("HOME", ".netrc"),
        };
        let at_home = || Some(Path::new(self.variables.get(home)?).join(file));
        self.variables
            .get("NETRC")
            .map(PathBuf::from)
            .or_else(at_home)
    }

    /// Tells whether a variable says where the netrc file is.
    pub(crate) fn names_netrc(&self) -> bool {
        self.variables.contains_key("NETRC")
    }
}

/// Picks the variables that mean something to a session.
fn known(variables: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let known = |name: &str| KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known));
    // A proxy that is no text is to be refused, and not to be gone around.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into()))
    };
    let texts = variables.filter_map(text);
    texts.filter(|(name, _)| known(name)).collect()
}

/// Takes the settings of the user where no variable is about proxies, as Python does.
#[cfg(windows)]
fn of_process(mut variables: BTreeMap<String, String>) -> Environment {
    let is_about = |name: &String| name.to_ascii_lowercase().ends_with("_proxy");
    if variables.keys().any(is_about) {
        return Environment::of(variables);
    }
    let (proxies, no_proxy) = registry::settings();
    variables.extend(proxies);
    Environment {
        no_proxy,
        ..Environment::of(variables)
    }
}

/// Other systems have no settings that are read.
#[cfg(not(windows))]
fn of_process(variables: BTreeMap<String, String>) -> Environment {
    Environment::of(variables)
}

/// Finds a variable in lower case, else in any: on Windows names have none.
fn find<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<(&'a str, &'a str)> {
    // CON-92: in a CGI program HTTP_PROXY comes from the request.
    let cgi = name == "http_proxy" && variables.contains_key("REQUEST_METHOD");
    let mut in_any_case = variables
        .iter()
        .filter(|(other, _)| !cgi && other.eq_ignore_ascii_case(name));
    let found = variables
        .get_key_value(name)
        .or_else(|| in_any_case.next())?;
    Some((found.0, found.1))
}

/// Reads the value of a variable: blanks around it are none of it, and `//host` has the
/// scheme that it lacks, as in aiohttp.
fn proxy(url: &str) -> Result<Proxy, ProxyError> {
    match url.trim() {
        url if url.starts_with("//") => Proxy::new(format!("http:{url}")),
        url => Proxy::new(url),
    }
}

impl fmt::Debug for Environment {
    /// Shows which variables there are; a proxy's URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
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
        // CON-92.
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
        check(&[all], "unix://a/", None);
        check(&[("Http_Proxy", "h")], "http://a.test/", Some("h"));
        check(
            &[("Http_Proxy", "h"), ("HTTP_PROXY", "u")],
            "http://a.test/",
            Some("u"),
        );
        check(&[all, ("NO_PROXY", "test")], "http://a.test/", None);
        let both = [("NO_PROXY", "test"), ("no_proxy", "")];
        check(&[all, both[0], both[1]], "http://a.test/", Some("all"));
        let cgi = ("REQUEST_METHOD", "GET");
        check(
            &[("HTTP_PROXY", "evil"), cgi, all],
            "http://a.test/",
            Some("all"),
        );
    }

    #[track_caller]
    fn found(value: &str) -> Result<Option<String>, ClientError> {
        let environment = Environment::from_pairs([("HTTP_PROXY", value)]);
        let url = RequestUrl::parse("http://a.test/").expect("a URL");
        let proxy = environment.find_proxy(&url)?;
        Ok(proxy.map(|proxy| proxy.url().as_str().to_owned()))
    }

    #[test]
    fn what_a_variable_may_say() {
        let check = |value: &str, want: &str| {
            assert_eq!(
                found(value).expect(value).as_deref(),
                Some(want),
                "{value:?}"
            );
        };
        check("http://p:1", "http://p:1/");
        check(" HTTPS://p:1/path?query#x\n", "https://p:1/path?query");
        check("//p:1", "http://p:1/");
        assert_eq!(found("").expect("none"), None);
    }

    #[test]
    fn an_error_tells_the_variable() {
        // As probed: EDGE-203 in the environment.
        for (value, class) in [
            ("u:s3cret@p:1", "InvalidURL"),
            ("http://", "InvalidURL"),
            ("  ", "InvalidURL"),
            ("http://u:s3cret@p:port", "ValueError"),
            ("http://u:s3cret@p:65536", "ValueError"),
            ("http://u:s3cret@[::1", "ValueError"),
            ("http://u:s3cret@[zz]/", "ValueError"),
            ("http://u:s3cret@1.2.3.4.5", "InvalidUrlClientError"),
        ] {
            let error = found(value).expect_err(value);
            assert_eq!(error.aiohttp_class(), class, "{value:?}: {error:?}");
            assert_eq!(error.is_invalid_url(), class != "ValueError");
            let shown = format!("{error} {error:?}");
            assert!(
                shown.starts_with("cannot use the proxy of HTTP_PROXY "),
                "{shown}"
            );
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        let error = found("ftp://u:s3cret@p:1").expect_err("no proxy");
        assert_eq!(error.aiohttp_class(), "ValueError");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[cfg(unix)]
    #[test]
    fn a_proxy_that_is_no_text_is_not_gone_around() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(b"http://p\xff:1".into());
        let environment = of_process(known([("http_proxy".into(), value)].into_iter()));
        let url = RequestUrl::parse("http://a.test/").expect("a URL");
        let error = environment.find_proxy(&url).expect_err("no text");
        assert_eq!(error.aiohttp_class(), "ValueError", "{error:?}");
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
