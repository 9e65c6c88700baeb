//! `narad::run()` as a process: signals, exit statuses, and errors of one line.
#![cfg(unix)]

use std::process::Command;
use std::time::{Duration, Instant};

use narad_tests::process::Process;
use narad_tests::wait;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A process in a folder of its own.
struct Service {
    process: Process,
    folder: TempDir,
}

fn start(todo: &str, variables: &[(&str, &str)]) -> Service {
    start_beside("", todo, variables)
}

/// Beside this `.env`, with these variables and no others.
fn start_beside(env_file: &str, todo: &str, variables: &[(&str, &str)]) -> Service {
    let folder = TempDir::new().expect("a folder");
    if !env_file.is_empty() {
        std::fs::write(folder.path().join(".env"), env_file).expect("a file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
    command
        .env_clear()
        .current_dir(folder.path())
        .args((!todo.is_empty()).then_some(todo))
        .envs(variables.iter().copied());
    Service { process: Process::start(&mut command, &folder.path().join("log")), folder }
}

const EMBEDDED: (&str, &str) = ("KAFKA_BROKERS", "embedded");

impl Service {
    fn says(&self, text: &str) {
        wait::until(&format!("the process in {} says {text:?}", self.folder.path().display()), || {
            self.process.log().contains(text)
        });
    }

    /// What it says where it ends with status 1: one line.
    fn refusal(mut self) -> String {
        self.process.ends_with(1);
        let log = self.process.log();
        let errors: Vec<&str> = log.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "one line is the error:\n{log}");
        assert_eq!(log.lines().last(), Some(errors[0]), "nothing comes after it:\n{log}");
        errors[0].to_owned()
    }
}

#[test]
fn a_signal_ends_it_after_what_is_in_flight_with_status_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut service = start("slow", &[EMBEDDED]);
        service.says("begun slow");
        service.process.signal(signal);
        service.process.ends_with(0);
        assert!(service.process.log().contains("done slow"), "{}", service.process.log());
    }
}

#[test]
fn handlers_that_outlive_the_deadline_make_status_2() {
    let mut service = start("hang", &[EMBEDDED, ("NARAD_SHUTDOWN_TIMEOUT", "300")]);
    service.says("begun hang");
    service.process.signal(Signal::TERM);
    service.process.ends_with(2);
    assert!(
        service.process.log().contains("error: handlers did not end within NARAD_SHUTDOWN_TIMEOUT"),
        "{}",
        service.process.log()
    );
}

#[test]
fn a_second_signal_ends_it_at_once_with_status_2() {
    let mut service = start("hang", &[EMBEDDED, ("NARAD_SHUTDOWN_TIMEOUT", "600000")]);
    service.says("begun hang");
    service.process.signal(Signal::TERM);
    service.says("stopping");
    let asked = Instant::now();
    service.process.signal(Signal::INT);
    service.process.ends_with(2);
    assert!(asked.elapsed() < Duration::from_secs(60), "the drain's deadline is far away");
    assert!(service.process.log().contains("a second signal"), "{}", service.process.log());
}

#[test]
fn a_handler_that_halts_makes_status_1() {
    assert!(start("halt", &[EMBEDDED]).refusal().contains("a handler halted the application"));
}

#[test]
fn what_is_wrong_in_the_environment_is_one_line_that_names_the_variable() {
    for (name, value) in [
        ("KAFKA_BROKERS", ","),
        ("KAFKA_SSL", "maybe"),
        ("KAFKA_SASL_USERNAME", "alice"),
        ("KAFKA_SSL_CA", "nowhere.pem"),
        ("NARAD_GROUPS", "nobody"),
        ("NARAD_HANDLER_NOBODY_CONCURRENCY", "1"),
        ("NARAD_HANDLER_WORK_CONCURENCY", "1"),
        ("NARAD_SHUTDOWN_TIMEOUTS", "1"),
        ("NARAD_KAFKA_FETCH_MIN_BYTES", "many"),
        ("NARAD_KAFKA_ENABLE_AUTO_COMMIT", "true"),
        // What only a client that is made finds out.
        ("NARAD_KAFKA_MAX_IN_FLIGHT", "10"),
        ("NARAD_KAFKA_MAX_POLL_INTERVAL_MS", "2000"),
    ] {
        let said = start("", &[EMBEDDED, (name, value)]).refusal();
        assert!(said.contains(name), "{name}={value}: {said}");
    }
}

#[test]
fn a_file_of_variables_is_read_unless_the_environment_is_production() {
    let wrong = "KAFKA_SSL=maybe\n";
    assert!(start_beside(wrong, "", &[EMBEDDED]).refusal().contains("KAFKA_SSL"));
    // A real variable wins, and in production the file is not read at all.
    for variable in [("KAFKA_SSL", "false"), ("NARAD_ENV", "production")] {
        let mut service = start_beside(wrong, "quick", &[EMBEDDED, variable]);
        service.says("done quick");
        service.process.signal(Signal::TERM);
        service.process.ends_with(0);
    }
}

/// What services in Node.js have in theirs, and what a compose file leaves that hands on variables that are
/// not set.
#[test]
fn the_file_and_the_empty_variables_of_a_service_in_node_js_stop_no_start() {
    let file = "\u{feff}APP_NAME=My App\r\nDB_USER=CORP\\svc\r\nOWNER=Bob's\r\nJSON={\"a\": \
     1}\r\nKAFKA_SSL=maybe\r\nKAFKA_BROKERS=embedded, # here ";
    let mut service = start_beside(
        file,
        "quick",
        &[("KAFKA_SSL", ""), ("KAFKA_SASL_USERNAME", ""), ("NARAD_CREATE_TOPICS", "true")],
    );
    service.says("done quick");
    service.process.signal(Signal::TERM);
    service.process.ends_with(0);
    let log = service.process.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("empty")).collect();
    assert!(lines.len() == 1 && lines[0].contains("KAFKA_SASL_USERNAME, KAFKA_SSL"), "{log}");
    let said = start_beside("A=1\nKAFKA_SSL=maybe\n", "", &[]).refusal();
    assert!(said.contains("KAFKA_SSL") && said.contains("line 2 of .env"), "{said}");
}

/// `docs/operations.md` has it: consumers bound a fetch, which librdkafka wants to be no smaller than what is
/// sent.
#[test]
fn a_larger_bound_of_what_is_sent_stops_no_consumer() {
    let mut service = start("quick", &[EMBEDDED, ("NARAD_KAFKA_MESSAGE_MAX_BYTES", "16777217")]);
    service.says("done quick");
    service.process.signal(Signal::TERM);
    service.process.ends_with(0);
}

#[test]
fn no_broker_is_one_line_with_the_brokers_and_the_cause() {
    let said = start("", &[("KAFKA_BROKERS", "127.0.0.1:1"), ("KAFKA_CONNECTION_TIMEOUT", "500")]).refusal();
    assert!(said.contains("127.0.0.1:1") && said.contains("refused"), "{said}");
}

#[test]
fn it_works_and_ends_with_status_0_where_nobody_reads_its_log_any_more() {
    for level in ["info", "trace"] {
        let folder = TempDir::new().expect("a folder");
        let done = folder.path().join("done");
        let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
        command
            .env_clear()
            .current_dir(folder.path())
            .arg("quick")
            .envs([EMBEDDED, ("RUST_LOG", level)])
            .env("SERVICE_DONE", &done);
        let mut process = Process::start_piped(&mut command, &folder.path().join("log"));
        process.stop_listening();
        wait::until("the job is done", || done.exists());
        process.signal(Signal::TERM);
        process.ends_with(0);
    }
}

/// The log of an application is its own code: where it panics on a thread of Narad's, that thread ends, and
/// nothing goes on in silence.
#[test]
fn a_panic_on_the_thread_that_polls_ends_it_with_status_1_and_the_cause() {
    let said = start("", &[EMBEDDED, ("SERVICE_LOG_PANICS", "assigned")]).refusal();
    assert!(
        said.contains("the thread \"narad service\" panicked")
            && said.contains("the application's log panics"),
        "{said}"
    );
}

#[test]
fn a_program_describes_itself_without_a_broker_and_ends() {
    let variables = [
        ("NARAD_DESCRIBE", "json"),
        ("KAFKA_BROKERS", "127.0.0.1:1"),
        ("KAFKA_SASL_USERNAME", "ada"),
        ("KAFKA_SASL_PASSWORD", "not-for-everybody"),
        ("KAFKA_CONNECTION_TIMEOUT", ""),
        ("NARAD_HANDLER_WORK_TIMEOUT", "5s"),
        ("NARAD_KAFKA_FETCH_MIN_BYTES", "7"),
    ];
    let file = "KAFKA_CLIENT_ID=shop\nKAFKA_BROKERS=kafka:9092\nKAFKA_CONNECTION_TIMEOUT=5000\n";
    let mut service = start_beside(file, "", &variables);
    service.process.ends_with(0);
    let said = service.process.log();
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(!said.contains("not-for-everybody"), "{said}");
    let described: Value = serde_json::from_str(lines[0]).expect("JSON");
    let setting = |name: &str| {
        let found = described["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {described}"))
    };
    for (name, value, from) in [
        ("KAFKA_BROKERS", json!("127.0.0.1:1"), "environment"),
        ("KAFKA_CLIENT_ID", json!("shop"), ".env"),
        ("KAFKA_CONNECTION_TIMEOUT", json!("10000"), "default"),
        ("KAFKA_SASL_PASSWORD", Value::Null, "environment"),
        ("KAFKA_SSL_CA", Value::Null, "default"),
        ("NARAD_HANDLER_WORK_TIMEOUT", json!("5s"), "environment"),
        ("NARAD_KAFKA_FETCH_MIN_BYTES", json!("7"), "environment"),
    ] {
        let setting = setting(name);
        assert_eq!((&setting["value"], &setting["from"]), (&value, &json!(from)), "{name}");
    }
    assert_eq!(setting("KAFKA_SASL_PASSWORD")["secret"], true);
    assert_eq!(described["events"][0]["name"], "Job");
    assert_eq!(described["handlers"][0]["name"], "work");
}

#[test]
fn a_name_that_cannot_be_resolved_is_null_in_the_description() {
    let service = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
        let folder = TempDir::new().expect("a folder");
        command.env_clear().current_dir(folder.path()).envs(variables.iter().copied());
        let mut process = Process::start(command.env("NARAD_DESCRIBE", "json"), &folder.path().join("log"));
        process.ends_with(0);
        let said = process.log();
        let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str::<Value>(line).expect("JSON")["handlers"][0].clone()
    };
    let resolved = service(&[("APP_TOPIC", "orders"), ("APP_GROUP", "billing")]);
    assert_eq!((&resolved["topics"], &resolved["group"]), (&json!(["orders"]), &json!("billing")));
    let unresolved = service(&[]);
    assert_eq!((&unresolved["topics"], &unresolved["group"]), (&json!([null]), &Value::Null));
}

#[test]
fn a_log_of_json_is_one_object_a_line() {
    let mut service = start("quick", &[EMBEDDED, ("NARAD_LOG", "json")]);
    service.says("done quick");
    service.process.signal(Signal::TERM);
    service.process.ends_with(0);
    let log = service.process.log();
    let lines = log.lines().filter(|line| line.contains("timestamp"));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).expect(line)).collect();
    let assigned = lines.iter().find(|line| line["message"] == "assigned").expect("an assignment");
    assert_eq!((&assigned["level"], &assigned["fields"]["group"]), (&json!("INFO"), &json!("service")));
    assert!(!log.contains(" INFO "), "{log}");
    let refusal = start("", &[EMBEDDED, ("NARAD_LOG", "xml")]).refusal();
    assert!(refusal.contains("NARAD_LOG") && refusal.contains("neither text nor json"), "{refusal}");
}

#[test]
fn a_builder_owns_the_process_with_its_states_and_layers() {
    const BUILT: (&str, &str) = ("SERVICE_BUILT", "1");
    let mut service = start("slow", &[EMBEDDED, BUILT]);
    service.says("begun slow");
    service.process.signal(Signal::TERM);
    service.process.ends_with(0);
    let log = service.process.log();
    for said in ["around work Some(\"a state\")", "done slow", " INFO narad: "] {
        assert!(log.contains(said), "{said:?}:\n{log}");
    }
    let mut service = start("hang", &[EMBEDDED, BUILT, ("NARAD_SHUTDOWN_TIMEOUT", "300")]);
    service.says("begun hang");
    service.process.signal(Signal::TERM);
    service.process.ends_with(2);
    let refusal = start("halt", &[EMBEDDED, BUILT]).refusal();
    assert!(refusal.contains("a handler halted the application"), "{refusal}");
    let refusal = start("", &[EMBEDDED, BUILT, ("NARAD_SHUTDOWN_TIMEOUT", "soon")]).refusal();
    assert!(refusal.contains("NARAD_SHUTDOWN_TIMEOUT"), "{refusal}");
}
