//! Tests of flags and of one-sentence errors.

use super::*;

fn refused(line: &str) -> String {
    let error = Cli::try_parse_from(line.split(' ')).expect_err(line);
    refusal(&error)
}

#[test]
fn flags_reach_the_configuration() {
    let line = "microbazaar serve --port 81 --host 0.0.0.0 --data-dir /srv --services all --demo";
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let overrides = cli.overrides();
    assert_eq!((overrides.port, overrides.host.as_deref()), (Some(81), Some("0.0.0.0")));
    assert_eq!((overrides.data_dir.as_deref(), overrides.services.as_deref()), (Some("/srv"), Some("all")));
    for line in [
        "microbazaar --data-dir /srv serve",
        "microbazaar demo --products 10 --data-dir /srv",
        "microbazaar admin create --email a@b.example --data-dir /srv",
        "microbazaar backup shop.db --data-dir /srv",
        "microbazaar projections rebuild --data-dir /srv",
        "microbazaar config check --data-dir /srv",
    ] {
        let cli = Cli::try_parse_from(line.split(' ')).expect(line);
        assert_eq!(cli.overrides().data_dir.as_deref(), Some("/srv"), "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_one_sentence() {
    let cases = [
        ("microbazaar", "a command is missing; try --help"),
        ("microbazaar admin", "a command is missing; try --help"),
        ("microbazaar serv", "unrecognized subcommand 'serv'; did you mean serve? try --help"),
        ("microbazaar serve --prot 1", "unexpected argument '--prot' found; did you mean --port? try --help"),
        ("microbazaar serve --port", "a value is required for '--port <PORT>' but none was supplied; try --help"),
        (
            "microbazaar serve --port abc",
            "invalid value 'abc' for '--port <PORT>': a port is a whole number between 0 and 65535; try --help",
        ),
        (
            "microbazaar serve --port 99999",
            "invalid value '99999' for '--port <PORT>': a port is a whole number between 0 and 65535; try --help",
        ),
        ("microbazaar admin create", "the following required arguments were not provided: --email <EMAIL>; try --help"),
        (
            "microbazaar demo --products 0",
            "invalid value '0' for '--products <PRODUCTS>': write a whole number between 1 and 1000000; try --help",
        ),
        ("microbazaar openapi now", "unexpected argument 'now' found; try --help"),
    ];
    for (line, sentence) in cases {
        assert_eq!(refused(line), sentence);
    }
}
