use super::*;

const MIXED: &str = "multipart/mixed; boundary=B";
const FORM: &str = "multipart/form-data; boundary=B";

/// What a body is made of: each part's fields and data, then how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    parts: Vec<(String, String)>,
    end: Result<(), String>,
}

/// Parses `body` in pieces of `size` bytes and checks what must always hold.
#[track_caller]
fn parse(content_type: &str, body: &[u8], size: usize, limits: MultipartLimits) -> Parts {
    let mut parser = MultipartParser::new(content_type.as_bytes(), limits).expect("a boundary");
    let (mut parts, mut open) = (Vec::new(), None::<(String, Vec<u8>)>);
    let mut pieces: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    pieces.push(Bytes::new());
    let last = pieces.len() - 1;
    for (at, mut piece) in pieces.into_iter().enumerate() {
        if at == last {
            parser.finish();
        }
        loop {
            assert!(parser.held() <= HELD, "{} bytes held", parser.held());
            match parser.parse(&mut piece) {
                Ok(None) => {
                    assert!(piece.is_empty(), "it has not asked for more");
                    break;
                }
                Ok(Some(MultipartEvent::Part(headers))) => {
                    let fields = headers.iter().map(|field| {
                        format!("{}: {}", field.name(), field.as_bytes().escape_ascii())
                    });
                    let fields: Vec<_> = fields.collect();
                    assert!(open.replace((fields.join("|"), Vec::new())).is_none());
                }
                Ok(Some(MultipartEvent::Data(data))) => {
                    assert!(!data.is_empty());
                    open.as_mut().expect("in a part").1.extend_from_slice(&data);
                }
                Ok(Some(MultipartEvent::PartEnd)) => {
                    let (fields, data) = open.take().expect("in a part");
                    parts.push((fields, data.escape_ascii().to_string()));
                }
                Ok(Some(MultipartEvent::End)) => {
                    assert!(open.is_none());
                    assert!(matches!(parser.parse(&mut piece), Ok(None)));
                    assert!(piece.is_empty());
                    return Parts { parts, end: Ok(()) };
                }
                Err(error) => {
                    let again = parser.parse(&mut piece).expect_err("as before");
                    assert_eq!(again.to_string(), error.to_string());
                    return Parts {
                        parts,
                        end: Err(format!("{}: {error}", error.aiohttp_class())),
                    };
                }
            }
        }
    }
    panic!("no end of {}", body.escape_ascii());
}

/// A head within the default limits, doubled by growing, and its ranges.
const HELD: usize = 2 * 128 * 8190 + 128 * 32;

#[track_caller]
fn check_as(content_type: &str, body: impl AsRef<[u8]>, want: &[(&str, &str)], end: &str) {
    let body = body.as_ref();
    let want = Parts {
        parts: want
            .iter()
            .map(|(fields, data)| ((*fields).to_owned(), (*data).to_owned()))
            .collect(),
        end: match end {
            "" => Ok(()),
            error => Err(error.to_owned()),
        },
    };
    for size in [body.len().max(1), 1, 2, 3, 5, 7] {
        let have = parse(content_type, body, size, MultipartLimits::default());
        let shown = body.escape_ascii();
        assert_eq!(have, want, "{size} at a time: {:.300}", shown.to_string());
    }
}

#[track_caller]
fn check(body: impl AsRef<[u8]>, want: &[(&str, &str)]) {
    check_as(MIXED, body, want, "");
}

#[track_caller]
fn check_refused(body: impl AsRef<[u8]>, want: &[(&str, &str)], error: &str) {
    check_as(MIXED, body, want, error);
}

const TRUNCATED: &str = "ValueError: the body ends before its last boundary";
const NO_START: &str = "ValueError: could not find the starting boundary";
const LENGTH: &str = "ValueError: the part is longer than its Content-Length";
const BOUNDARY: &str = "ValueError: invalid boundary behind a part";

// What is expected here is what aiohttp 3.14.5 does, unless a comment says otherwise.

#[test]
fn parts_stand_between_boundaries() {
    check("--B\r\n\r\nhi\r\n--B--\r\n", &[("", "hi")]);
    check("--B\r\n\r\nhi\r\n--B--", &[("", "hi")]);
    check("--B--", &[]);
    check("--B--\r\n", &[]);
    check("--B\r\n\r\n--B\r\n\r\n\r\n--B--\r\n", &[("", ""), ("", "")]);
    check(
        "--B\r\nX-A:  1 \r\nx-a: 2\r\nB:\r\n\r\na\r\n\r\n\r\n--B\r\n\r\nb\r\n--B--\r\n",
        &[("X-A: 1|x-a: 2|B: ", "a\\r\\n\\r\\n"), ("", "b")],
    );
    check(
        b"--B\r\n\r\n\0\r\xff\r\n\n\r--B--\r\n--B--\r\n",
        &[("", "\\x00\\r\\xff\\r\\n\\n\\r--B--")],
    );
}

// BODY-73.
#[test]
fn preamble_and_epilogue_are_passed_over() {
    check(
        "pre\n\r\n--Bx\r\n--B\r\n\r\nhi\r\n--B--\r\nepi\r\n--B\r\n",
        &[("", "hi")],
    );
    check(
        "pre --B\r\nx--B\r\n\n--B\n\nhi\r\n--B--\n--B\r\n",
        &[("", "hi")],
    );
    check("--B--\r\n--B\r\n\r\nhi\r\n--B--\r\n", &[]);
}

// BODY-73.
#[test]
fn blanks_behind_a_boundary_count_for_nothing() {
    check(
        "--B \t\r\n\r\nhi\r\n--B\n\r\nx\r\n--B-- \r\nepi",
        &[("", "hi"), ("", "x")],
    );
    check("--B\r\r\n\r\nhi\r\n--B-- \x0b\x0c", &[("", "hi")]);
}

#[test]
fn without_its_boundaries_a_body_is_refused() {
    for body in ["", "xx", "--B", "--Bx", "-- B\r\n", "x--B\r\n"] {
        check_refused(body, &[], NO_START);
    }
    for body in [
        "--B\r\n",
        "--B\r\nA: b",
        "--B\r\n\r\n",
        "--B\r\n\r\nhi\r\n",
        "--B\r\n\r\nhi\r\n--",
        "--B\r\n\r\nhi\r\n--B",
        "--B\r\n\r\nhi\r\n--B-",
        "--B\n\nhi\n--B--\n",
    ] {
        check_refused(body, &[], TRUNCATED);
    }
    check_refused("--B\r\n\r\nhi\r\n--B\r\n", &[("", "hi")], TRUNCATED);
}

// BODY-84. aiohttp's `readline` has it so, its `read` ends the part there and fails.
#[test]
fn lines_that_begin_like_the_boundary_are_content() {
    for line in [
        "--Bx", "--B-", "--B-x", "--B--x", "--B---", "--B -", "--B x", "--B\rx", "--",
    ] {
        let body = format!("--B\r\n\r\nhi\r\n{line}\r\nyo\r\n--B--\r\n");
        let want = format!("hi\\r\\n{}\\r\\nyo", line.escape_default());
        check(&body, &[("", &want)]);
        // Where a part begins.
        let body = format!("--B\r\n\r\n{line}\r\n--B--\r\n");
        check(&body, &[("", &line.escape_default().to_string())]);
    }
    check("--B\r\n\r\nhi\r\r\n--B--\r\n", &[("", "hi\\r")]);
    check("--B\r\n\r\nhi\r\n-\r\n--B--\r\n", &[("", "hi\\r\\n-")]);
    check(
        "--B\r\n\r\nhi\r\n--B-\n--B \n\r\n--B--\r\n",
        &[("", "hi\\r\\n--B-\\n--B \\n")],
    );
    check(
        "--B\r\n\r\nhi\r\n--B-\r\n--B--\r\n",
        &[("", "hi\\r\\n--B-")],
    );
    check(
        "--B\r\n\r\n\r\n--B \r\x0c-\r\n--B--\r\n",
        &[("", "\\r\\n--B \\r\\x0c-")],
    );
}

// BODY-79.
#[test]
fn part_with_a_length_is_as_long() {
    check(
        "--B\r\nContent-Length: 2\r\n\r\nhi\r\n--B--\r\n",
        &[("Content-Length: 2", "hi")],
    );
    check(
        "--B\r\nContent-Length: 0\r\n\r\n\r\n--B--\r\n",
        &[("Content-Length: 0", "")],
    );
    check(
        "--B\r\ncontent-length: 7\r\n\r\n\r\n--B\r\n\r\n--B--",
        &[("content-length: 7", "\\r\\n--B\\r\\n")],
    );
    let body = |length: &str| format!("--B\r\nContent-Length: {length}\r\n\r\nhi\r\n--B--\r\n");
    for length in ["0", "1", "3"] {
        check_refused(body(length), &[], LENGTH);
    }
    check_refused("--B\r\nContent-Length: 2\r\n\r\nhi\n--B--\r\n", &[], LENGTH);
    check_refused(
        "--B\r\nContent-Length: 2\r\n\r\nhi\r\n--Bx--\r\n",
        &[],
        BOUNDARY,
    );
    check_refused(body("99"), &[], TRUNCATED);
    for length in [
        "+2",
        "0x2",
        "2_0",
        "2 0",
        "\u{0662}",
        "",
        "99999999999999999999",
    ] {
        let error = format!("ValueError: invalid Content-Length of a part: {length:?}");
        check_refused(body(length), &[], &error);
    }
    check_as(FORM, body("99"), &[("Content-Length: 99", "hi")], "");
    check_as(FORM, body("x"), &[("Content-Length: x", "hi")], "");
}

#[test]
fn nested_bodies_are_data() {
    let inner = "pre\r\n--BB\r\n\r\nin\r\n--BB--\r\nepi";
    let fields = "Content-Type: Multipart/mixed; boundary=BB|Content-Length: 3";
    let head = fields.replace('|', "\r\n");
    check(
        format!("--B\r\n{head}\r\n\r\n{inner}\r\n--B--\r\n"),
        &[(fields, &inner.escape_default().to_string())],
    );
}

// BODY-74.
#[test]
fn heads_are_checked() {
    let body = |head: &str| format!("--B\r\n{head}\r\n\r\nhi\r\n--B--\r\n");
    let invalid = |name: &str| format!("InvalidHeader: invalid header {name:?}");
    check_refused(body("A"), &[], &invalid("A"));
    check_refused(body("A : b"), &[], &invalid("A "));
    check_refused(body(": b"), &[], &invalid(""));
    check_refused(body(" A: b"), &[], &invalid(" A"));
    check_refused(body("A: b\x01"), &[], &invalid("A"));
    check_refused(body("A: b\rc: d"), &[], &invalid("A"));
    check_refused(body("\u{e9}: b"), &[], &invalid("\\xc3\\xa9"));
    check(body("A: \u{e9}\t\r"), &[("A: \\xc3\\xa9", "hi")]);
    for name in ["Content-Type", "Content-Length"] {
        let error = format!("BadHttpMessage: duplicate {name} header in a part");
        check_refused(body(&format!("{name}: 2\r\n{name}: 2")), &[], &error);
    }
}

// Not in aiohttp; mail has it, and so has Python's `email` package.
#[test]
fn folded_header_lines_are_joined() {
    check(
        "--B\r\nA: b;\r\n c\r\n\t d\nB: x\r\n\r\nhi\r\n--B--\r\n",
        &[("A: b; c\\t d|B: x", "hi")],
    );
    let line = format!("\r\n {}", "x".repeat(3000));
    let body = format!("--B\r\nA: b{}\r\n\r\nhi\r\n--B--\r\n", line.repeat(3));
    check_refused(
        body,
        &[],
        "LineTooLong: got more than 8190 bytes when reading a header",
    );
}

// BODY-74.
#[test]
fn heads_have_bounds() {
    let body = |head: &str| format!("--B\r\n{head}\r\nhi\r\n--B--\r\n");
    let fields = |count| vec!["A: b"; count].join("|");
    check(body(&"A: b\r\n".repeat(128)), &[(&fields(128), "hi")]);
    let many = "BadHttpMessage: too many headers received, more than 128";
    check_refused(body(&"A: b\r\n".repeat(129)), &[], many);
    check_refused(body(&"A: b\r\n".repeat(5000)), &[], many);
    let value = "a".repeat(8186);
    check(
        body(&format!("A:{value}\r\n")),
        &[(&format!("A: {value}"), "hi")],
    );
    let long = "LineTooLong: got more than 8190 bytes when reading a header";
    check_refused(body(&format!("A:a{value}\r\n")), &[], long);
    check_refused(format!("--B\r\n{}", "a".repeat(100_000)), &[], long);
}

#[test]
fn lines_around_the_parts_have_bounds() {
    let line = "LineTooLong: got more than 524288 bytes in a line around the parts";
    check_refused("x".repeat(MAX_PREAMBLE_LINE + 1), &[], line);
    let short = format!("{}\n", "x".repeat(1000)).repeat(1000);
    check(format!("{short}--B--"), &[]);
    let blanks = "LineTooLong: got more than 8190 bytes in a line around the parts";
    check_refused(format!("--B{}", " ".repeat(9000)), &[], blanks);
    check_refused(
        format!("--B\r\n\r\nhi\r\n--B{}", " ".repeat(9000)),
        &[],
        blanks,
    );
    check(
        format!("--B\r\n\r\nhi\r\n--B--{}", " ".repeat(8190)),
        &[("", "hi")],
    );
}

#[test]
fn limits_are_kept() {
    let limits = MultipartLimits {
        max_parts: Some(2),
        max_part_size: Some(4),
        ..MultipartLimits::default()
    };
    let body = |parts: &[&str]| {
        let parts: String = parts
            .iter()
            .map(|part| format!("--B\r\n\r\n{part}\r\n"))
            .collect();
        parts + "--B--\r\n"
    };
    let end = |parts: &[&str], size| parse(MIXED, body(parts).as_bytes(), size, limits).end;
    for size in [1, 3, 1000] {
        assert_eq!(end(&["1234", "1234"], size), Ok(()));
        let error = "ValueError: more than 2 parts".to_owned();
        assert_eq!(end(&["", "", ""], size), Err(error));
        let error = "ValueError: a part has more than 4 bytes".to_owned();
        assert_eq!(end(&["12345"], size), Err(error));
    }
}

/// Feeds `pieces` of one kind for ever, and counts what is held and what comes out.
#[track_caller]
fn flood(start: &str, piece: &str, pieces: usize, held: usize) -> usize {
    let limits = MultipartLimits::default();
    let mut parser = MultipartParser::new(MIXED.as_bytes(), limits).expect("a boundary");
    let mut events = 0;
    let pieces = std::iter::repeat_n(Bytes::from(piece.to_owned()), pieces);
    for mut piece in std::iter::once(Bytes::from(start.to_owned())).chain(pieces) {
        while parser.parse(&mut piece).expect("a good body").is_some() {
            events += 1;
        }
        assert!(parser.held() <= held, "{} bytes held", parser.held());
    }
    events
}

// The time is that of the test: none of these may take more than a pass over the bytes.
#[test]
fn hostile_bodies_cost_what_they_send() {
    // A preamble of lines, a million parts, lines like the boundary in one piece and cut.
    assert_eq!(flood("", &"--Bx\r\n".repeat(1000), 1000, 0), 0);
    assert_eq!(
        flood("", "--B\r\n\r\n\r\n", 1_000_000, 64),
        2 * 1_000_000 - 1
    );
    let like = "\r\n--B-\r\n--Bx".repeat(10_000);
    assert!(flood("--B\r\n\r\n", &like, 20, 256) <= 120);
    assert!(flood("--B\r\n\r\n", "\r\n--Bx", 100_000, 256) >= 100_000);
    assert!(flood("--B\r\n\r\n", "\r", 100_000, 256) >= 99_999);
    let blanks = format!("\r\n--B{}x", " ".repeat(8000));
    assert!(flood("--B\r\n\r\n", &blanks, 1000, 20_000) >= 1000);
    // Cut within the blanks: what is held is one such line.
    let blanks = format!("{}x\r\n--B{}", " ".repeat(4000), " ".repeat(4000));
    assert!(flood("--B\r\n\r\n", &blanks, 1000, 20_000) >= 1000);
}

#[test]
fn a_head_that_is_not_complete_is_not_shown() {
    let limits = MultipartLimits::default();
    let mut parser = MultipartParser::new(MIXED.as_bytes(), limits).expect("a boundary");
    let mut body = Bytes::from("--B\r\nSet-Cookie: id=s3cret\r\nAuthorization: s3cret");
    assert!(matches!(parser.parse(&mut body), Ok(None)));
    let shown = format!("{parser:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn content_is_not_copied() {
    let limits = MultipartLimits::default();
    let mut parser = MultipartParser::new(MIXED.as_bytes(), limits).expect("a boundary");
    let body = Bytes::from("--B\r\n\r\nhello\r\n--B--\r\n");
    let mut rest = body.clone();
    assert!(matches!(
        parser.parse(&mut rest),
        Ok(Some(MultipartEvent::Part(_)))
    ));
    let Ok(Some(MultipartEvent::Data(data))) = parser.parse(&mut rest) else {
        panic!("no data");
    };
    assert_eq!(
        (data.as_ptr(), &data[..]),
        (body[7..].as_ptr(), &b"hello"[..])
    );
}
