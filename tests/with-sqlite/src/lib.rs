//! Two jars that a table of SQLite keeps, by the example in the docs of aio-cookies.

#[path = "../../../crates/aio-cookies/src/docs/sqlite.rs"]
mod sqlite;

pub use sqlite::{Known, sync};

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aio_cookies::{CookieJar, CookieRequest};
    use rusqlite::Connection;
    use url::Url;

    use super::{Known, sync};

    struct Program {
        jar: CookieJar,
        known: Known,
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    impl Program {
        fn new() -> Self {
            let (jar, known) = (CookieJar::new(), Known::new());
            Self { jar, known }
        }

        fn set(&self, seconds: u64, field: &str) {
            let url = Url::parse("https://a.test/").expect("a URL");
            let request = CookieRequest::new(&url, at(seconds));
            self.jar.update_cookies(&request, [field]);
        }

        fn sync(&mut self, database: &mut Connection) {
            sync(&self.jar, database, &mut self.known, at(50)).expect("in step");
        }

        #[track_caller]
        fn check(&self, want: &str) {
            let url = Url::parse("https://a.test/").expect("a URL");
            let header = self.jar.cookie_header(&CookieRequest::new(&url, at(50)));
            assert_eq!(header.unwrap_or_default(), want);
        }
    }

    #[test]
    fn two_jars_hold_what_either_was_told_last() {
        let mut table = Connection::open_in_memory().expect("a database");
        let (mut one, mut two) = (Program::new(), Program::new());
        one.set(1, "a=1");
        one.set(2, "b=1; Max-Age=1000");
        two.set(3, "c=1");
        for program in [&mut one, &mut two] {
            program.sync(&mut table);
        }
        one.sync(&mut table);
        one.check("a=1; b=1; c=1");
        two.check("a=1; b=1; c=1");

        // A change, a removal, and a change of both: the later one stays.
        one.set(4, "a=2");
        two.set(5, "b=; Max-Age=0");
        two.set(6, "c=two");
        one.set(7, "c=one");
        for program in [&mut one, &mut two] {
            program.sync(&mut table);
        }
        one.sync(&mut table);
        one.check("a=2; c=one");
        two.check("a=2; c=one");

        // A third has all from the table alone.
        let mut three = Program::new();
        three.sync(&mut table);
        three.check("a=2; c=one");
        assert_eq!(three.jar.export(at(50)), one.jar.export(at(50)));
    }
}
