//! What is no jar, or could be more than one.

use super::*;

#[test]
fn a_jar_cut_off_anywhere_is_refused() {
    // The last of each layout and protocol.
    for (name, bytes) in [JARS[0], JARS[6], JARS[7], JARS[8], JARS[10]] {
        for length in 0..bytes.len() {
            let problem = read_now(&bytes[..length]).expect_err(name);
            assert!(
                matches!(problem, CookieFileProblem::Malformed { .. }),
                "{name} {length}"
            );
        }
    }
}

// EDGE-231, CKY-85. Many of these would run a program, were Python to load them.
#[test]
fn what_would_run_a_program_is_refused_by_name() {
    for (pickle, name) in [
        (&b"cos\nsystem\n(S'id'\ntR."[..], "os.system"),
        (b"cposix\nsystem\n(Vid\ntR.", "posix.system"),
        (b"cnt\nsystem\n(Vid\ntR.", "nt.system"),
        (b"\x80\x02cos\npopen\nX\x02\0\0\0id\x85R.", "os.popen"),
        (
            b"\x80\x03cbuiltins\neval\nX\x03\0\0\x001+1\x85R.",
            "builtins.eval",
        ),
        (
            b"\x80\x03cbuiltins\nexec\nX\x04\0\0\0pass\x85R.",
            "builtins.exec",
        ),
        (
            b"\x80\x02c__builtin__\neval\nX\x01\0\0\x001\x85R.",
            "__builtin__.eval",
        ),
        (b"\x80\x03c__builtin__\ndict\n)R.", "__builtin__.dict"),
        (b"\x80\x03cbuiltins\ngetattr\n)R.", "builtins.getattr"),
        (b"\x80\x03cbuiltins\n__import__\n)R.", "builtins.__import__"),
        (b"\x80\x03cbuiltins\nopen\n)R.", "builtins.open"),
        (b"\x80\x03cbuiltins\nobject\n)\x81.", "builtins.object"),
        (
            b"\x80\x03cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
            "builtins.bytearray",
        ),
        (b"csubprocess\nPopen\n((lp0\nVid\natR.", "subprocess.Popen"),
        (
            b"\x80\x04\x8c\x0asubprocess\x8c\x0ccheck_output\x93.",
            "subprocess.check_output",
        ),
        (
            b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x02id\x85R.",
            "os.system",
        ),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
        (
            b"\x80\x04\x8c\x0chttp.cookies\x8c\x0fMorsel.__init__\x93.",
            "http.cookies.Morsel.__init__",
        ),
        (
            b"\x80\x04\x8c\x0chttp.cookies\x8c\x02re\x93.",
            "http.cookies.re",
        ),
        (
            b"\x80\x04\x8c\x0chttp.cookies\x8c\x0aBaseCookie\x93.",
            "http.cookies.BaseCookie",
        ),
        (b"chttp.cookies\n_unquote\n.", "http.cookies._unquote"),
        (b"ccollections\nOrderedDict\n)R.", "collections.OrderedDict"),
        (b"ccopyreg\n__newobj__\n.", "copyreg.__newobj__"),
        (b"ccopyreg\nadd_extension\n.", "copyreg.add_extension"),
        (b"cfunctools\npartial\n.", "functools.partial"),
        (b"coperator\nattrgetter\n.", "operator.attrgetter"),
        (b"cpickle\nloads\n.", "pickle.loads"),
        (b"cctypes\nCDLL\n.", "ctypes.CDLL"),
        (b"cimportlib\nimport_module\n.", "importlib.import_module"),
        (b"cruncode\nrun_code\n.", "runcode.run_code"),
        (b"cshutil\nrmtree\n.", "shutil.rmtree"),
        (b"csocket\nsocket\n.", "socket.socket"),
        (b"cos\x1b[2J\nsystem\r\n.", "os\\x1b[2J.system\\r"),
        // The harmless one hides behind a defaultdict.
        (b"ccollections\ndefaultdict\n(cos\nabort\ntR.", "os.abort"),
        (
            b"\x80\x04\x8c\x08builtins\x8c\x05print\x93.",
            "builtins.print",
        ),
    ] {
        check(pickle, &format!("forbidden global {name}"));
    }
}

// EDGE-231.
#[test]
fn opcodes_that_jars_do_not_need_are_refused_by_name() {
    for (pickle, name) in [
        (&b"(S'id'\nios\nsystem\n."[..], "STRING"),
        (b"(Vid\nios\nsystem\n.", "INST"),
        (b"(chttp.cookies\nMorsel\no.", "OBJ"),
        (b"\x80\x04chttp.cookies\nMorsel\n)}\x92.", "NEWOBJ_EX"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02\x83\x01\0.", "EXT2"),
        (b"\x80\x02\x84\x01\0\0\0.", "EXT4"),
        (b"Psecret\n.", "PERSID"),
        (b"\x80\x03X\x01\0\0\0aQ.", "BINPERSID"),
        (b"T\xff\xff\xff\xffa.", "BINSTRING"),
        (b"U\x01a.", "SHORT_BINSTRING"),
        (b"\x80\x03B\xff\xff\xff\xffa.", "BINBYTES"),
        (b"\x80\x03C\x01a.", "SHORT_BINBYTES"),
        (
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
            "BINBYTES8",
        ),
        (
            b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
            "BYTEARRAY8",
        ),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05}\x98.", "READONLY_BUFFER"),
        (b"].", "EMPTY_LIST"),
        (b"(l.", "LIST"),
        (b"}Na.", "APPEND"),
        (b"}(Ne.", "APPENDS"),
    ] {
        check(pickle, &format!("forbidden opcode {name}"));
    }
    check(b"\xff.", "unknown opcode 0xff");
    check(b"{}", "unknown opcode 0x7b");
    check(b"\x80\x06}.", "unknown protocol 6");
}

/// All that pickles consist of, as Python 3.14's `pickletools.opcodes` lists it.
const OPCODES: [(u8, &str); 68] = [
    (0x49, "INT"),
    (0x4a, "BININT"),
    (0x4b, "BININT1"),
    (0x4d, "BININT2"),
    (0x4c, "LONG"),
    (0x8a, "LONG1"),
    (0x8b, "LONG4"),
    (0x53, "STRING"),
    (0x54, "BINSTRING"),
    (0x55, "SHORT_BINSTRING"),
    (0x42, "BINBYTES"),
    (0x43, "SHORT_BINBYTES"),
    (0x8e, "BINBYTES8"),
    (0x96, "BYTEARRAY8"),
    (0x97, "NEXT_BUFFER"),
    (0x98, "READONLY_BUFFER"),
    (0x4e, "NONE"),
    (0x88, "NEWTRUE"),
    (0x89, "NEWFALSE"),
    (0x56, "UNICODE"),
    (0x8c, "SHORT_BINUNICODE"),
    (0x58, "BINUNICODE"),
    (0x8d, "BINUNICODE8"),
    (0x46, "FLOAT"),
    (0x47, "BINFLOAT"),
    (0x5d, "EMPTY_LIST"),
    (0x61, "APPEND"),
    (0x65, "APPENDS"),
    (0x6c, "LIST"),
    (0x29, "EMPTY_TUPLE"),
    (0x74, "TUPLE"),
    (0x85, "TUPLE1"),
    (0x86, "TUPLE2"),
    (0x87, "TUPLE3"),
    (0x7d, "EMPTY_DICT"),
    (0x64, "DICT"),
    (0x73, "SETITEM"),
    (0x75, "SETITEMS"),
    (0x8f, "EMPTY_SET"),
    (0x90, "ADDITEMS"),
    (0x91, "FROZENSET"),
    (0x30, "POP"),
    (0x32, "DUP"),
    (0x28, "MARK"),
    (0x31, "POP_MARK"),
    (0x67, "GET"),
    (0x68, "BINGET"),
    (0x6a, "LONG_BINGET"),
    (0x70, "PUT"),
    (0x71, "BINPUT"),
    (0x72, "LONG_BINPUT"),
    (0x94, "MEMOIZE"),
    (0x82, "EXT1"),
    (0x83, "EXT2"),
    (0x84, "EXT4"),
    (0x63, "GLOBAL"),
    (0x93, "STACK_GLOBAL"),
    (0x52, "REDUCE"),
    (0x62, "BUILD"),
    (0x69, "INST"),
    (0x6f, "OBJ"),
    (0x81, "NEWOBJ"),
    (0x92, "NEWOBJ_EX"),
    (0x80, "PROTO"),
    (0x2e, "STOP"),
    (0x95, "FRAME"),
    (0x50, "PERSID"),
    (0x51, "BINPERSID"),
];

const REFUSED: [&str; 21] = [
    "APPEND",
    "APPENDS",
    "BINBYTES",
    "BINBYTES8",
    "BINPERSID",
    "BINSTRING",
    "BYTEARRAY8",
    "EMPTY_LIST",
    "EXT1",
    "EXT2",
    "EXT4",
    "INST",
    "LIST",
    "NEWOBJ_EX",
    "NEXT_BUFFER",
    "OBJ",
    "PERSID",
    "READONLY_BUFFER",
    "SHORT_BINBYTES",
    "SHORT_BINSTRING",
    "STRING",
];

#[test]
fn each_opcode_is_obeyed_or_refused_by_name() {
    let mut refused = Vec::new();
    for (opcode, name) in OPCODES {
        // Something to work on, and to read from.
        let pickle = [b"}(}}", &[opcode][..], b"1\n2\n"].concat();
        let told = match read_now(&pickle) {
            Err(CookieFileProblem::Malformed { reason, .. }) => reason,
            other => panic!("{name}: {other:?}"),
        };
        assert_ne!(*told, *format!("unknown opcode 0x{opcode:02x}"), "{name}");
        if let Some(told) = told.strip_prefix("forbidden opcode ") {
            assert_eq!(told, name);
            refused.push(name);
        }
    }
    refused.sort_unstable();
    assert_eq!(refused, REFUSED);
}

#[test]
fn what_is_no_opcode_is_refused() {
    let unknown = (0..=u8::MAX).filter(|byte| !OPCODES.iter().any(|(opcode, _)| opcode == byte));
    let mut count = 0;
    for byte in unknown {
        check(&[byte], &format!("unknown opcode 0x{byte:02x}"));
        count += 1;
    }
    assert_eq!(count + OPCODES.len(), 256);
}

// EDGE-231: what is allowed is called as jars call it, and no other way.
#[test]
fn allowed_names_are_used_as_jars_use_them() {
    let arguments = "a call with arguments that jars do not need";
    check(b"chttp.cookies\nSimpleCookie\n(Va=b\ntR.", arguments);
    check(
        b"ccollections\ndefaultdict\n(ccollections\ndefaultdict\ntR.",
        arguments,
    );
    check(
        b"ccopyreg\n_reconstructor\n(ccopyreg\n_reconstructor\nc__builtin__\ndict\n}tR.",
        arguments,
    );
    check(b"\x80\x03cbuiltins\ntuple\n(I1\ntR.", arguments);
    check(b"cCookie\nMorsel\n}R.", "a call without arguments");
    check(b"})R.", "a call of what is no class");
    check(b"})\x81.", "a call of what is no class");
    check(b"}}b.", "a state for what has none");
    check(b"cCookie\nMorsel\n}b.", "a state for what has none");
    check(b"cCookie\nSimpleCookie\n)R}b.", "a state for what has none");
    check(
        b"cCookie\nMorsel\n)Rcos\nsystem\nb.",
        "forbidden global os.system",
    );
    check(
        b"cCookie\nMorsel\n)R(NNtb.",
        "a state that is no dictionary",
    );
    check(
        b"cCookie\nMorsel\n)RcCookie\nMorsel\n)Rb.",
        "a state that is no dictionary",
    );
    check(b"cCookie\nMorsel\nNNs.", "items for what has none");
    check(b"\x80\x04\x8f(NNu.", "items for what has none");
    check(b"\x80\x04}(N\x90.", "items for what has none");
    check(b"\x80\x04NN\x93.", "a global whose name is no text");
}

#[test]
fn a_broken_stack_is_refused() {
    check(b".", "nothing on the stack");
    check(b"0.", "nothing on the stack");
    check(b"2.", "nothing on the stack");
    check(b"}(.", "nothing on the stack");
    check(b"}(Ns.", "nothing on the stack");
    check(b"}(\x87.", "nothing on the stack");
    check(b"t.", "no mark on the stack");
    check(b"1.", "no mark on the stack");
    check(b"}(Nu.", "a key without a value");
    check(b"q\0.", "nothing on the stack");
    check(b"h\0.", "a memo that is not there");
    check(b"g18446744073709551616\n.", "no number");
    check(b"p-1\n.", "no number");
    check(b"Ione\n.", "no number");
    check(b"F\n.", "no number");
    check(b"V\\ud800\n.", "no text");
    check(b"V\\u12\n.", "no text");
    check(b"}.}", "something behind the end of the pickle");
    check(b"", "the pickle is cut off");
}

#[test]
fn what_is_no_jar_is_refused() {
    check(b"N.", "no jar of cookies");
    check(b"I1\n.", "no jar of cookies");
    check(b").", "no jar of cookies");
    check(b"\x80\x04\x8f.", "no jar of cookies");
    check(b"cCookie\nMorsel\n.", "no jar of cookies");
    check(b"cCookie\nSimpleCookie\n)R.", "no jar of cookies");
    check(b"}Va.test\n}s.", "not cookies by domain and path");
    let place = "a key is not of a domain";
    check(b"}X\x01\0\0\0\xffcCookie\nSimpleCookie\n)Rs.", place);
    check(b"}Va|b\ncCookie\nSimpleCookie\n)Rs.", place);
    check(
        b"}I1\ncCookie\nSimpleCookie\n)Rs.",
        "not cookies by domain and path",
    );
    check(
        b"}(Va.test\nNtcCookie\nSimpleCookie\n)Rs.",
        "not cookies by domain and path",
    );
    check(
        b"}(Va.test\ntcCookie\nSimpleCookie\n)Rs.",
        "not cookies by domain and path",
    );
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\nVb\nss.",
        "a cookie that is no Morsel",
    );
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\n}ss.",
        "a cookie that is no Morsel",
    );
    let no_value = "a Morsel without a value";
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\ncCookie\nMorsel\n)Rss.",
        no_value,
    );
    check(
        b"}Va.test\ncCookie\nSimpleCookie\n)RVa\ncCookie\nMorsel\n)R}bss.",
        no_value,
    );
    let number = jar("a.test", &[morsel("a", "b", "")]).replacen("Vb\n", "I1\n", 1);
    check(number.as_bytes(), no_value);
    let path = jar("a.test", &[morsel("a", "b", "Vpath\nI1\n")]);
    check(path.as_bytes(), "an attribute that is no text");
    assert!(read_now(b"}.").expect("an empty jar").is_empty());
}
