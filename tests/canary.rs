//! No secret shows: canaries in every variable, file, key, header and payload, every error of the runbook
//! provoked, and none of them in what a process says at the finest level of its log, in errors, in `Debug`,
//! in health, or in what Narad writes beside a dead letter.
#![cfg(unix)]

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use narad_tests::cluster::{Cluster, Stored, fresh, variable};
use narad_tests::process::Process;
use narad_tests::wait;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

/// What may be nowhere. As the body of a PEM it is base64, too.
const CANARY: &str = "cAnArY+hunter2+cAnArY";

/// What a handler's own errors say, which are the application's own.
const OWN: &str = "said by the handler";

const EMBEDDED: (&str, &str) = ("KAFKA_BROKERS", "embedded");
const NOBODY: (&str, &str) = ("KAFKA_BROKERS", "127.0.0.1:1");
const TLS: (&str, &str) = ("KAFKA_SSL", "true");

/// Runs of the program, and what none of them may say.
struct Runs {
    folder: TempDir,
    secrets: Vec<String>,
}

impl Runs {
    fn new() -> Self {
        Self {
            folder: TempDir::with_prefix("runs").expect("a folder"),
            secrets: vec![CANARY.to_owned(), "hunter2".to_owned()],
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    fn start<K: AsRef<OsStr>, V: AsRef<OsStr>>(&self, dotenv: &str, variables: &[(K, V)]) -> Process {
        let folder = self.folder.path().join(fresh("run"));
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join(".env"), dotenv).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_secretive"));
        command
            .env_clear()
            .current_dir(&folder)
            .env("RUST_LOG", "trace")
            .env("NARAD_CREATE_TOPICS", "true")
            .env("SECRETIVE_OWN", OWN)
            .envs(variables.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        Process::start(&mut command, &folder.join("log"))
    }

    fn assert_silent(&self, what: &str, said: &str) {
        for line in said.lines() {
            let secret = self.secrets.iter().find(|secret| line.contains(secret.as_str()));
            assert!(secret.is_none(), "{what}: a secret is in this line: {line}");
        }
    }

    /// A start that is refused with one line that says all of this.
    fn refused(&self, dotenv: &str, variables: &[(&str, &str)], wanted: &[&str]) {
        let mut process = self.start(dotenv, variables);
        process.ends_with(1);
        let (log, names) = (process.log(), variables.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let what = format!("{names:?} {dotenv:?}");
        self.assert_silent(&what, &log);
        let errors: Vec<_> = log.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(
            errors.len() == 1 && log.lines().last() == Some(errors[0]),
            "{what}: the last line is the error:\n{log}"
        );
        println!("{}", errors[0]);
        for wanted in wanted {
            assert!(errors[0].contains(wanted), "{what}: {:?} does not say {wanted:?}", errors[0]);
        }
    }
}

/// A PEM of this kind with a canary for its body.
fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\n{CANARY}\n-----END {label}-----\n")
}

#[test]
fn a_wrong_secret_is_named_by_its_variable_and_never_shown() {
    let runs = Runs::new();
    let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
    for name in ["KAFKA_SSL_CA", "KAFKA_SSL_CERT", "KAFKA_SSL_KEY"] {
        let together = |value: &str| {
            let mut all = vec![EMBEDDED];
            all.extend(
                [("KAFKA_SSL_CERT", certificate.as_str()), ("KAFKA_SSL_KEY", key.as_str())]
                    .iter()
                    .filter(|(other, _)| *other != name),
            );
            let value = [(name, value)];
            all.extend(value.iter().copied());
            runs.refused("", &all, &[name]);
        };
        // No PEM, half a PEM, a PEM of another kind, and what looks like a part of one.
        for value in [
            &format!("----BEGIN {CANARY}"),
            &format!("-----BEGIN {CANARY}"),
            &pem("PUBLIC KEY"),
            &CANARY.repeat(5),
            &format!("x\n{CANARY}"),
        ] {
            together(value);
        }
        together(&runs.file("unfit", CANARY));
        together(&runs.file("binary", [CANARY.as_bytes(), &[0xff]].concat()));
        together("nowhere/at-all.pem");
        let (file, path) = (format!("{name}_FILE"), runs.file("whole", &certificate));
        runs.refused("", &[EMBEDDED, (name, &certificate), (&file, &path)], &[name, &file]);
        runs.refused("", &[EMBEDDED, (&file, &certificate)], &[name]);
    }
    for name in ["KAFKA_SSL_KEY_PASSWORD", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] {
        runs.refused("", &[EMBEDDED, (name, CANARY)], &[name]);
        runs.refused(&format!("{name}='{CANARY}'"), &[EMBEDDED], &[name]);
        let file = format!("{name}_FILE");
        runs.refused("", &[EMBEDDED, (name, CANARY), (&file, CANARY)], &[name, &file]);
        for path in [
            &runs.file("empty", "\n"),
            &runs.file("bytes", [CANARY.as_bytes(), &[0xff]].concat()),
            "nowhere",
            ".",
        ] {
            runs.refused("", &[EMBEDDED, (&file, path)], &[&file, path]);
        }
        // The secret where its path belongs.
        runs.refused("", &[EMBEDDED, (&file, &pem("PRIVATE KEY"))], &[&file]);
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let runs = Runs::new();
    let key = pem("PRIVATE KEY");
    for name in [
        "KAFKA_BROKERS",
        "KAFKA_SSL",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_OAUTH_TOKEN_URL",
        "KAFKA_OAUTH_CLIENT_ID",
        "KAFKA_OAUTH_SCOPE",
        "KAFKA_CONNECTION_TIMEOUT",
        "NARAD_ENV",
        "NARAD_GROUPS",
        "NARAD_TYPE_HEADERS",
        "NARAD_CREATE_TOPICS",
        "NARAD_SHUTDOWN_TIMEOUT",
        "NARAD_COMMIT_INTERVAL",
        "NARAD_PROFILE",
        "NARAD_HTTP",
        "NARAD_DESCRIBE",
        "NARAD_HANDLER_WORK_CONCURRENCY",
        "NARAD_HANDLER_WORK_RETRY_BACKOFF",
        "NARAD_HANDLER_WORK_DEAD_LETTER",
        "NARAD_KAFKA_LINGER_MS",
        "NARAD_KAFKA_COMPRESSION_TYPE",
        "NARAD_KAFKA_SSL_KEY_PEM",
        "NARAD_KAFKA_SSL_CERTIFICATE_PEM",
        "NARAD_KAFKA_SSL_CA_PEM",
        "NARAD_KAFKA_SSL_KEY_PASSWORD",
        "NARAD_KAFKA_SASL_PASSWORD",
        "NARAD_KAFKA_SASL_USERNAME",
        "NARAD_KAFKA_SASL_PASSWORT",
        "NARAD_KAFKA_PARTITION_ASSIGNMENT_STRATEGY",
        "NARAD_KAFKA_DEBUG",
        "NARAD_KAFKA_BUILTIN_FEATURES",
        "NARAD_SECRET",
    ] {
        let brokers = (name != EMBEDDED.0).then_some(EMBEDDED);
        runs.refused("", &[brokers.as_slice(), &[(name, &key)]].concat(), &[name]);
        runs.refused("", &[brokers.as_slice(), &[(name, &key.replace('\n', "\\n"))]].concat(), &[name]);
    }
    for brokers in [format!("alice:{CANARY}@kafka:9092"), format!("SASL_SSL://alice:{CANARY}@kafka:9092")] {
        runs.refused("", &[("KAFKA_BROKERS", &brokers)], &["KAFKA_BROKERS"]);
    }
    let others = format!("PASSWORD {CANARY}\nX={CANARY} {CANARY}\nY='{CANARY}\n");
    for line in [
        format!("KAFKA_SASL_PASSWORD=\"{CANARY}"),
        format!("KAFKA_SASL_MECHANISM='{key}'"),
        "KAFKA_SSL=maybe".to_owned(),
    ] {
        runs.refused(&format!("{others}{line}"), &[EMBEDDED], &["line 4 of .env"]);
    }
    let bytes = [
        ("KAFKA_BROKERS".into(), "embedded".into()),
        ("KAFKA_SASL_PASSWORD".into(), OsString::from_vec([CANARY.as_bytes(), &[0xff]].concat())),
    ];
    let mut process = runs.start::<OsString, OsString>("", &bytes);
    process.ends_with(1);
    runs.assert_silent("bytes", &process.log());
    assert!(
        process.log().contains("error: KAFKA_SASL_PASSWORD: the value is not UTF-8"),
        "{}",
        process.log()
    );
}

/// Certificates and keys as `openssl` makes them.
struct Certificates {
    ca: String,
    cert: String,
    key: String,
    other_key: String,
    encrypted: String,
}

impl Certificates {
    /// `None`, and a line, where there is no `openssl`.
    fn make(folder: &Path) -> Option<Self> {
        let run = |line: &str| {
            let status = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
            status.is_ok_and(|output| output.status.success())
        };
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj";
        let made = run(&format!("{new} /CN=one -keyout key -out cert"))
            && run(&format!("{new} /CN=two -keyout other -out other-cert"))
            && run(&format!("pkcs8 -topk8 -v2 aes-256-cbc -in key -out encrypted -passout pass:{CANARY}"));
        if !made {
            eprintln!("skipped: openssl makes no certificates");
            return None;
        }
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of openssl's");
        Some(Self {
            ca: read("other-cert"),
            cert: read("cert"),
            key: read("key"),
            other_key: read("other"),
            encrypted: read("encrypted"),
        })
    }
}

type Variables<'a> = &'a [(&'a str, &'a str)];

/// What stands between the lines of a PEM's beginning and end.
fn body(pem: &str) -> impl Iterator<Item = String> {
    pem.lines().filter(|line| line.len() > 16 && !line.starts_with("-----")).map(str::to_owned)
}

#[test]
fn keys_that_cannot_be_used_name_their_variable_in_each_form() {
    let mut runs = Runs::new();
    let Some(tls) = Certificates::make(runs.folder.path()) else { return };
    for pem in [&tls.ca, &tls.cert, &tls.key, &tls.other_key, &tls.encrypted] {
        runs.secrets.extend(body(pem));
    }
    let reach = [NOBODY, TLS, ("KAFKA_CONNECTION_TIMEOUT", "300"), ("NARAD_KAFKA_DEBUG", "all")];
    let (wrong_key, wrong_cert) = (pem("PRIVATE KEY"), pem("CERTIFICATE"));
    let (good, cert, password) = (
        ["127.0.0.1:1", "refused"],
        ("KAFKA_SSL_CERT", tls.cert.as_str()),
        ("KAFKA_SSL_KEY_PASSWORD", CANARY),
    );
    let cases: &[(Variables<'_>, &[&str])] = &[
        (&[("KAFKA_SSL_CA", &tls.ca), cert, ("KAFKA_SSL_KEY", &tls.key)], &good),
        (&[cert, ("KAFKA_SSL_KEY", &tls.encrypted), password], &good),
        (
            &[cert, ("KAFKA_SSL_KEY", &tls.encrypted)],
            &["KAFKA_SSL_KEY: the key is encrypted; set KAFKA_SSL_KEY_PASSWORD"],
        ),
        (
            &[cert, ("KAFKA_SSL_KEY", &tls.encrypted), ("KAFKA_SSL_KEY_PASSWORD", "wrong+hunter2")],
            &["KAFKA_SSL_KEY_PASSWORD"],
        ),
        (&[cert, ("KAFKA_SSL_KEY", &tls.other_key)], &["KAFKA_SSL_KEY: ", "KAFKA_SSL_CERT"]),
        (&[cert, ("KAFKA_SSL_KEY", &wrong_key)], &["KAFKA_SSL_KEY: "]),
        (&[("KAFKA_SSL_CERT", &wrong_cert), ("KAFKA_SSL_KEY", &tls.key)], &["KAFKA_SSL_CERT: "]),
        (&[("KAFKA_SSL_CA", &wrong_cert)], &["KAFKA_SSL_CA: "]),
    ];
    for (variables, wanted) in cases {
        // As text; on one line; as a file by its path; by the variable for files; in `.env`, on several lines
        // and on one.
        runs.refused("", &[&reach[..], variables].concat(), wanted);
        let lines: Vec<_> =
            variables.iter().map(|(name, value)| (*name, value.trim().replace('\n', "\\n"))).collect();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        runs.refused("", &[&reach[..], &lines].concat(), wanted);
        let files: Vec<_> =
            variables.iter().map(|(name, value)| (format!("{name}_FILE"), runs.file(name, value))).collect();
        let by_file: Vec<_> = files.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        runs.refused("", &[&reach[..], &by_file].concat(), wanted);
        let is_pem = |name: &str| name != "KAFKA_SSL_KEY_PASSWORD_FILE";
        let by_path: Vec<_> = by_file
            .iter()
            .map(|(name, path)| (if is_pem(name) { name.trim_end_matches("_FILE") } else { name }, *path))
            .collect();
        runs.refused("", &[&reach[..], &by_path].concat(), wanted);
        let dotenv: String = variables.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
        runs.refused(&dotenv, &reach, wanted);
        let dotenv: String = lines.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
        runs.refused(&dotenv, &reach, wanted);
    }
}

/// Secrets that none of these runs uses, and librdkafka's own log at its finest.
fn secrets() -> Vec<(&'static str, &'static str)> {
    vec![
        ("KAFKA_SASL_USERNAME", CANARY),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("KAFKA_OAUTH_CLIENT_SECRET", CANARY),
        ("NARAD_HTTP_TOKEN", CANARY),
        ("NARAD_KAFKA_SASL_OAUTHBEARER_CONFIG", CANARY),
        ("NARAD_KAFKA_SSL_KEYSTORE_PASSWORD", CANARY),
        ("NARAD_KAFKA_DEBUG", "all"),
    ]
}

/// Records of which each ends in another way.
fn records() -> Vec<serde_json::Value> {
    let values = [
        json!({"type": "JOB", "todo": "fail"}),
        json!({"type": "JOB", "todo": "reject"}),
        json!({"type": "JOB", "todo": "skip"}),
        json!({"type": "JOB", "todo": "panic"}),
        json!({"type": "JOB", "todo": CANARY}),
        json!({"type": "JOB", "todo": "fail", "amount": CANARY}),
        json!({"type": "JOB", "todo": "fail", "card": CANARY}),
        json!({"type": "JOB", "todo": {CANARY: CANARY}}),
        json!({"type": "JOB", "todo": [CANARY]}),
        json!({"type": "JOB", "secret": CANARY}),
        json!({"type": {CANARY: 1}, "todo": CANARY}),
        json!({"todo": CANARY}),
        json!([CANARY]),
        json!(CANARY),
        json!(null),
    ];
    let record = |value| json!({"key": CANARY, "header": CANARY, "value": value});
    values.into_iter().map(record).collect()
}

/// `GET` of a path, as it comes.
fn http(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the health endpoint");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {CANARY}\r\nConnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// What a run says in which every record ends as it has to, and what health says meanwhile; `dead` of the
/// records are dead letters.
fn run_through(runs: &Runs, mut process: Process, dead: usize) {
    let said = |text: &str| process.log().matches(text).count();
    wait::until(&format!("{dead} dead letters are there ({})", process.log_file().display()), || {
        said("dead letter: narad-dlq-") >= dead
    });
    let log = process.log();
    let address = log
        .lines()
        .find_map(|line| line.split_once("health at http://")?.1.split_once('/'))
        .expect("the health endpoint")
        .0
        .to_owned();
    let routes = ["kafka", "ready", "live"].map(|probe| format!("/health/{probe}"));
    let parts =
        ["handlers", "events", "groups", "partitions", "failures"].map(|part| format!("/api/v1/{part}"));
    for path in routes.into_iter().chain(parts).chain(["/metrics".to_owned(), format!("/{CANARY}")]) {
        let answer = http(&address, &path);
        assert!(!answer.starts_with("HTTP/1.1 4") || path.contains(CANARY), "{path}: {answer}");
        runs.assert_silent(&path, &answer);
    }
    process.signal(Signal::TERM);
    process.ends_with(0);
    runs.assert_silent("a run", &process.log());
    assert!(process.log().contains(OWN), "the handler's own words are said");
}

#[test]
fn what_is_in_records_and_variables_is_in_no_log_no_health_and_no_header_of_narads() {
    let runs = Runs::new();
    let records = serde_json::to_string(&records()).expect("JSON");
    for level in ["trace", "debug"] {
        let mut variables = secrets();
        variables.extend([
            EMBEDDED,
            ("SECRETIVE_RECORDS", &records),
            ("NARAD_HTTP", "0"),
            ("RUST_LOG", level),
        ]);
        // All but the one that is skipped, the one that is handled, and those of no type that the handler
        // takes.
        run_through(&runs, runs.start("", &variables), 9);
    }
}

#[test]
fn brokers_that_are_not_there_hear_and_show_no_secret() {
    let runs = Runs::new();
    for (brokers, wanted) in
        [("127.0.0.1:1", "127.0.0.1:1"), ("no-such-host.invalid:9092", "no-such-host.invalid")]
    {
        for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
            let mut variables = secrets();
            variables.extend([
                ("KAFKA_BROKERS", brokers),
                ("KAFKA_SASL_MECHANISM", mechanism),
                ("KAFKA_CONNECTION_TIMEOUT", "300"),
            ]);
            runs.refused("", &variables, &[wanted]);
        }
    }
}

#[test]
fn a_real_broker_that_refuses_or_takes_it_shows_no_secret() {
    let Some(cluster) = Cluster::of_env() else { return };
    let mut runs = Runs::new();
    let file = |name: &str| std::fs::read_to_string(variable(name)).expect("a file of kafka.sh's");
    let (key, cert) = (file("NARAD_TEST_CLIENT_KEY"), file("NARAD_TEST_CLIENT_CERT"));
    runs.secrets.extend(body(&key));
    runs.secrets.extend(body(&cert));
    let (user, password) = (variable("NARAD_TEST_SASL_USERNAME"), variable("NARAD_TEST_SASL_PASSWORD"));
    runs.secrets.push(password.clone());
    let at = |listener: &str| {
        (variable(listener), PathBuf::from(variable("NARAD_TEST_CA")).to_str().expect("a path").to_owned())
    };
    let more = [("KAFKA_CONNECTION_TIMEOUT", "4000"), ("NARAD_KAFKA_DEBUG", "all")];
    for listener in ["NARAD_TEST_SASL_SSL_BROKERS", "NARAD_TEST_SASL_PLAINTEXT_BROKERS"] {
        let (brokers, ca) = at(listener);
        let ssl = if listener.contains("SSL") { "true" } else { "false" };
        for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
            for (user, password) in [(CANARY, password.as_str()), (user.as_str(), CANARY)] {
                let login = [
                    ("KAFKA_SASL_USERNAME", user),
                    ("KAFKA_SASL_PASSWORD", password),
                    ("KAFKA_SASL_MECHANISM", mechanism),
                ];
                let place = [("KAFKA_BROKERS", brokers.as_str()), ("KAFKA_SSL", ssl), ("KAFKA_SSL_CA", &ca)];
                runs.refused(
                    "",
                    &[&login[..], &place, &more].concat(),
                    &["authentication failed", "KAFKA_SASL_PASSWORD"],
                );
            }
        }
    }
    let (brokers, ca) = at("NARAD_TEST_MUTUAL_BROKERS");
    let place = [("KAFKA_BROKERS", brokers.as_str()), TLS];
    let client = [("KAFKA_SSL_CERT", cert.as_str()), ("KAFKA_SSL_KEY", key.as_str())];
    let other = variable("NARAD_TEST_OTHER_CA");
    runs.refused("", &[&place[..], &client, &more, &[("KAFKA_SSL_CA", &other)]].concat(), &["KAFKA_SSL_CA"]);
    runs.refused("", &[&place[..], &more, &[("KAFKA_SSL_CA", &ca)]].concat(), &["KAFKA_SSL_CERT"]);

    // And one that works: records that no client of Narad's would write, with the password from a file.
    let topic = fresh("secretive");
    cluster.create_topic(&topic, 1, &[]);
    let key = || Some(CANARY.as_bytes().to_vec());
    let headers = || vec![("type".to_owned(), Some(CANARY.as_bytes().to_vec())), (CANARY.to_owned(), None)];
    let stored =
        |value: Option<Vec<u8>>| Stored { partition: 0, offset: 0, key: key(), value, headers: headers() };
    let raw = [Some(format!("{{{CANARY}").into_bytes()), Some([CANARY.as_bytes(), &[0xff]].concat()), None];
    cluster.write(&topic, raw.into_iter().map(stored));
    let (brokers, ca) = at("NARAD_TEST_SASL_SSL_BROKERS");
    let secret = runs.file("password", format!("{password}\n"));
    let (records, group) = (serde_json::to_string(&records()).expect("JSON"), fresh("secretive"));
    let variables = [
        ("KAFKA_BROKERS", brokers.as_str()),
        TLS,
        ("KAFKA_SSL_CA", &ca),
        ("KAFKA_SASL_USERNAME", &user),
        ("KAFKA_SASL_PASSWORD_FILE", &secret),
        ("KAFKA_CLIENT_ID", &group),
        ("SECRETIVE_TOPIC", &topic),
        ("SECRETIVE_RECORDS", &records),
        ("NARAD_HTTP", "0"),
    ];
    run_through(&runs, runs.start("", &[&variables[..], &more[1..]].concat()), 9);
}
