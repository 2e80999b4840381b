//! From the options of a session to the session.

use std::sync::Arc;

use aio_client::{
    ClientSession, CookieJar, CookieJarOptions, CookieStore, DummyCookieJar, Environment, Limits,
    TcpConnector,
};
use http::Version;
use serde_json::{Map, Value};

use super::resolver::Table;
use super::{Setup, options};

/// Makes the session that a scenario asks for, with these bounds on response heads.
pub(super) fn open(
    setup: &Setup,
    limits: Limits,
    jar: Option<Arc<CookieJar>>,
) -> Result<ClientSession, String> {
    let jar: Arc<dyn CookieStore> = match jar {
        Some(jar) => jar,
        None => Arc::new(DummyCookieJar {
            style: CookieJarOptions::aiohttp().style,
        }),
    };
    let mut builder = ClientSession::builder()
        .environment(Environment::from_pairs(setup.env.iter().cloned()))
        .limits(limits)
        .cookie_jar(jar)
        .connector(connector(setup)?);
    for (option, value) in &setup.session {
        builder = match option.as_str() {
            // Read elsewhere, or without a counterpart: nothing is read ahead.
            "connector" | "cookie_jar" | "max_line_size" | "max_field_size" | "max_headers"
            | "read_bufsize" => builder,
            "headers" => builder.headers(options::headers(value)?),
            "base_url" => builder.base_url(options::text(value)?),
            "cookies" => builder.cookies(options::headers(value)?),
            "auth" => builder.basic_auth(options::basic_auth(value)?),
            "proxy" => builder.proxy(options::text(value)?),
            "proxy_auth" => builder.proxy_auth(options::basic_auth(value)?),
            "trust_env" => builder.trust_env(options::flag(value)?),
            "requote_redirect_url" => builder.requote_redirect_url(options::flag(value)?),
            "version" => builder.version(version(value)?),
            "raise_for_status" => builder.raise_for_status(options::flag(value)?),
            "auto_decompress" => builder.auto_decompress(options::flag(value)?),
            "skip_auto_headers" => {
                let names = options::texts(value)?.into_iter();
                names.fold(builder, |builder, name| builder.skip_auto_header(name))
            }
            "timeout" => builder.timeout(options::timeout(value)?),
            "fallback_charset" => {
                let charset = options::text(value)?.to_owned();
                builder.fallback_charset(move |_, _| charset.clone())
            }
            _ => return Err(format!("session option {option}")),
        };
    }
    builder
        .build()
        .map_err(|error| format!("refused by the session: {error}"))
}

/// Makes a jar by aiohttp's rules, unless there is to be none.
pub(super) fn cookie_jar(setup: &Setup) -> Result<Option<Arc<CookieJar>>, String> {
    let mut options = CookieJarOptions::aiohttp();
    let nothing = Map::new();
    let settings = match setup.session.get("cookie_jar") {
        None => &nothing,
        Some(Value::Object(settings)) => settings,
        Some(other) => return Err(format!("cookie_jar {other}")),
    };
    for (option, value) in settings {
        match option.as_str() {
            "unsafe" => options.allow_ip_hosts = options::flag(value)?,
            "quote_cookie" => options.style.quote_cookie = options::flag(value)?,
            "treat_as_secure_origin" => {
                let origins = match value {
                    Value::String(one) => vec![one.as_str()],
                    several => options::texts(several)?,
                };
                let origins = origins.into_iter().map(|url| url.parse().map_err(|_| url));
                let origins: Result<_, _> = origins.collect();
                options.treat_as_secure_origin = origins.map_err(|url| format!("origin {url}"))?;
            }
            "dummy" if *value == true => return Ok(None),
            _ => return Err(format!("cookie_jar option {option}")),
        }
    }
    Ok(Some(Arc::new(CookieJar::with_options(options))))
}

fn version(value: &Value) -> Result<Version, String> {
    match options::text(value)? {
        "1.0" => Ok(Version::HTTP_10),
        "1.1" => Ok(Version::HTTP_11),
        other => Err(format!("version {other}")),
    }
}

fn connector(setup: &Setup) -> Result<TcpConnector, String> {
    let resolver = Table::parse(&setup.resolve)?;
    let mut builder = TcpConnector::builder().resolver(Arc::new(resolver));
    let nothing = Map::new();
    let settings = match setup.session.get("connector") {
        None => &nothing,
        Some(Value::Object(settings)) => settings,
        Some(other) => return Err(format!("connector {other}")),
    };
    for (option, value) in settings {
        builder = match option.as_str() {
            "limit" => builder.limit(options::size(value)?),
            "limit_per_host" => builder.limit_per_host(options::size(value)?),
            "keepalive_timeout" => builder.keepalive_timeout(options::limit_in_seconds(value)?),
            "force_close" => builder.force_close(options::flag(value)?),
            "use_dns_cache" => builder.use_dns_cache(options::flag(value)?),
            "ttl_dns_cache" => builder.ttl_dns_cache(options::limit_in_seconds(value)?),
            "dns_cache_max_size" => builder.dns_cache_max_size(options::size(value)?),
            "family" => builder.family(options::family(value)?),
            _ => return Err(format!("connector option {option}")),
        };
    }
    builder
        .build()
        .map_err(|error| format!("refused by the connector: {error}"))
}
