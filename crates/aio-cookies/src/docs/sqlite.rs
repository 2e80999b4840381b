use std::collections::HashMap;
use std::error::Error;
use std::time::SystemTime;

use aio_cookies::{Cookie, CookieJar};
use rusqlite::{Connection, TransactionBehavior};

/// What a jar and the table held when they were last made equal: when each cookie was stored.
pub type Known = HashMap<String, SystemTime>;

/// Gives the table what the jar has got and lost since, and the jar what the table has; of a
/// cookie that both have changed, the one that was stored last stays.
pub fn sync(
    jar: &CookieJar,
    database: &mut Connection,
    known: &mut Known,
    now: SystemTime,
) -> Result<(), Box<dyn Error>> {
    // Others wait here, so that nobody writes between what is read and what is written.
    let table = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    table.execute(
        "CREATE TABLE IF NOT EXISTS cookies (key TEXT PRIMARY KEY, stored INTEGER, cookie TEXT)",
        (),
    )?;
    let ours = jar.export(now);
    let keys: Known = ours.iter().map(|one| (key(one), one.stored())).collect();
    for (key, stored) in known.iter().filter(|(key, _)| !keys.contains_key(*key)) {
        let sql = "DELETE FROM cookies WHERE key = ?1 AND stored <= ?2";
        table.execute(sql, (key, micros(*stored)?))?;
    }
    let is_new = |one: &&Cookie| known.get(&key(one)) != Some(&one.stored());
    for cookie in ours.iter().filter(is_new) {
        table.execute(
            "INSERT INTO cookies VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE
             SET stored = excluded.stored, cookie = excluded.cookie
             WHERE excluded.stored >= stored",
            (
                key(cookie),
                micros(cookie.stored())?,
                serde_json::to_string(cookie)?,
            ),
        )?;
    }
    let mut theirs: Vec<Cookie> = Vec::new();
    let mut select = table.prepare("SELECT cookie FROM cookies")?;
    for row in select.query_map((), |row| row.get::<_, String>(0))? {
        theirs.push(serde_json::from_str(&row?)?);
    }
    drop(select);
    table.commit()?;

    let keys: Known = theirs.iter().map(|one| (key(one), one.stored())).collect();
    jar.clear_where(now, |own| {
        let key = key(own);
        known.get(&key) == Some(&own.stored()) && !keys.contains_key(&key)
    });
    jar.merge(theirs, now);
    *known = keys;
    Ok(())
}

/// Cookies of one key replace each other.
fn key(cookie: &Cookie) -> String {
    let domain = cookie.domain().map_or("", |domain| domain.as_str());
    let (name, path, host_only) = (cookie.name(), cookie.path(), cookie.is_host_only());
    format!("{domain}\n{host_only}\n{path}\n{name}")
}

fn micros(time: SystemTime) -> Result<i64, Box<dyn Error>> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_micros())?)
}
