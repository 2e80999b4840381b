//! The calls of a scenario that look into the cookie jar, or change it.

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;
use std::{env, fs, process};

use aio_client::{Cookie, CookieJar, CookieRequest, CookieStore};
use serde_json::{Map, Value, json};
use url::Url;

use super::options;
use crate::value::str_out;

/// Makes a call about cookies, of a session whose jar may keep none.
pub(super) fn call(jar: Option<&CookieJar>, op: &Value) -> Result<Value, String> {
    let jar = match jar {
        Some(jar) => jar,
        None if op["op"] == "cookies" => return Ok(json!({"jar": [], "send": []})),
        None => return Err(format!("op {} of a jar that keeps nothing", op["op"])),
    };
    let now = SystemTime::now();
    let url = op.get("url").map(url).transpose()?;
    match op["op"].as_str() {
        Some("cookies") => Ok(cookies(jar, url.as_ref(), now)),
        Some("jar_update") => {
            for (name, value) in options::headers(&op["cookies"])? {
                let added = match &url {
                    Some(url) => jar.add_for(&CookieRequest::new(url, now), &name, &value),
                    None => jar.add(&name, &value),
                };
                if added.is_err() {
                    return Ok(json!({"error": "CookieError"}));
                }
            }
            Ok(json!({}))
        }
        Some("jar_headers") => {
            let url = url.ok_or("headers of no response")?;
            let fields = options::texts(&op["set_cookie"])?;
            jar.update_cookies(&CookieRequest::new(&url, now), fields);
            Ok(json!({}))
        }
        Some("jar_clear") => {
            match (op["domain"].as_str(), op["name"].as_str()) {
                (Some(domain), None) => jar.clear_domain(now, domain),
                (None, Some(name)) => jar.clear_where(now, |cookie| cookie.name() == name),
                _ => jar.clear(),
            }
            Ok(json!({"len": jar.len()}))
        }
        Some("jar_reload") => {
            reload(jar).map_err(|error| format!("a jar in a file: {error}"))?;
            Ok(json!({"len": jar.len()}))
        }
        _ => Err(format!("op {}", op["op"])),
    }
}

/// Saves the jar, and loads it again.
fn reload(jar: &CookieJar) -> Result<(), Box<dyn Error>> {
    // Scenarios run side by side.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("aio-tests-{}-{count}.jar", process::id());
    let directory = env::temp_dir().join(name);
    fs::create_dir(&directory)?;
    let path = directory.join("cookies.json");
    let saved = jar.save(&path);
    jar.clear();
    let loaded = saved.and_then(|()| jar.load(&path));
    fs::remove_dir_all(&directory)?;
    Ok(loaded?)
}

fn url(value: &Value) -> Result<Url, String> {
    let text = options::text(value)?;
    text.parse().map_err(|error| format!("{text}: {error}"))
}

fn cookies(jar: &CookieJar, url: Option<&Url>, now: SystemTime) -> Value {
    let mut cookies: Vec<_> = jar.cookies(now).iter().map(cookie_out).collect();
    cookies.sort_by_cached_key(|cookie| {
        ["domain", "path", "name"].map(|key| cookie[key].as_str().map(str::to_owned))
    });
    let mut shown = Map::new();
    shown.insert("jar".into(), cookies.into());
    if let Some(url) = url {
        let sent = CookieStore::filter_cookies(jar, &CookieRequest::new(url, now));
        let pair = |bytes: &[u8]| str_out(bytes);
        let sent = sent
            .iter()
            .map(|cookie| json!([pair(cookie.name()), pair(cookie.value())]));
        shown.insert("send".into(), sent.collect());
    }
    shown.into()
}

fn cookie_out(cookie: &Cookie) -> Value {
    json!({
        "name": cookie.name(),
        "value": cookie.value(),
        "domain": cookie.domain().map_or("", |domain| domain.as_str()),
        "path": cookie.path(),
        "host_only": cookie.is_host_only(),
        "secure": cookie.is_secure(),
        "httponly": cookie.is_http_only(),
        "samesite": cookie.same_site_attribute(),
        "persistent": cookie.expires().is_some(),
    })
}
