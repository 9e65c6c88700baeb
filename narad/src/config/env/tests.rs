use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Config> {
    from_vars(
        &vars.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        &File::default(),
    )
}

#[test]
fn each_wrong_value_is_one_line_that_names_its_variable() {
    for (name, value) in [
        ("KAFKA_BROKERS", ","),
        ("KAFKA_BROKERS", "kafka:port"),
        ("KAFKA_SSL", "maybe"),
        ("KAFKA_SSL_CA", "no/such/file.pem"),
        ("KAFKA_SASL_MECHANISM", "kerberos"),
        ("KAFKA_SASL_MECHANISM", "oauthbearer"),
        ("KAFKA_SASL_MECHANISM", "aws-msk-iam"),
        ("KAFKA_SASL_USERNAME", "alice"),
        ("KAFKA_CONNECTION_TIMEOUT", "soon"),
        ("NARAD_ENV", "staging"),
        ("NARAD_CREATE_TOPIC", "true"),
        ("NARAD_SHUTDOWN_TIMEOUT", "-1"),
        ("NARAD_PROFILE", "fast"),
        ("NARAD_TYPE_HEADERS", ","),
        ("NARAD_TYPE_HEADERS", "type,,ce_type"),
        ("NARAD_TYPE_HEADERS", "type,"),
        ("NARAD_TYPE_HEADERS", "type,ce_type,type"),
        ("NARAD_TYPE_HEADERS", "narad-type"),
        ("NARAD_TYPE_HEADERS", "event\ttype"),
        ("NARAD_TYPE_HEADERS", "event\u{85}type"),
        ("NARAD_HTTP", "nowhere"),
        ("NARAD_KAFKA_FETCH_MIN_BITES", "1"),
        ("NARAD_KAFKA_ENABLE_AUTO_COMMIT", "true"),
        ("NARAD_KAFKA_DELIVERY_REPORT_ONLY_ERROR", "true"),
        ("NARAD_KAFKA_LINGER_MS", "soon"),
        ("NARAD_KAFKA_FETCH_MIN_BYTES", "many"),
        ("NARAD_COMMIT_INTERVAL", "0"),
        ("KAFKA_BROKERS", "embedded,kafka:9092"),
    ] {
        let error = read(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains('\n'), "{name}={value}: {error}");
    }
}

#[test]
fn headers_of_a_type_are_those_that_are_written_in_their_order() {
    let of = |vars: &[(&str, &str)]| read(vars).unwrap().type_headers;
    assert_eq!(of(&[]), ["type", "ce_type"]);
    assert_eq!(of(&[("NARAD_TYPE_HEADERS", " ")]), ["type", "ce_type"], "an empty variable is not set");
    assert_eq!(
        of(&[("NARAD_TYPE_HEADERS", "eventType , ce_type,Ereignis-Art \u{e9}")]),
        ["eventType", "ce_type", "Ereignis-Art \u{e9}"]
    );
    let own = Config { type_headers: vec![String::new()], ..Config::default() };
    assert!(own.check().unwrap_err().to_string().contains("NARAD_TYPE_HEADERS: a header's name is empty"));
    assert!(Config { type_headers: Vec::new(), ..Config::default() }.check().is_ok());
}

#[test]
fn what_others_set_is_ignored_and_a_misspelt_variable_is_not() {
    read(&[("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"), ("NARAD_TEST_LEDGER", "x")]).unwrap();
    assert!(read(&[("NARAD_GROUP", "a")]).unwrap_err().to_string().contains("did you mean NARAD_GROUPS?"));
}

#[test]
fn a_misspelt_family_is_told_from_a_misspelt_variable() {
    let said = |name: &str| read(&[(name, "1")]).unwrap_err().to_string();
    assert!(said("NARAD_HANDLERS_COUNT_CONCURRENCY").contains("did you mean NARAD_HANDLER_<NAME>_<OPTION>?"));
    assert!(said("NARAD_KAFAK_LINGER_MS").contains("did you mean NARAD_KAFKA_<PROPERTY>?"));
    assert!(said("NARAD_SHUTDOWN_TIMEOUTS").contains("did you mean NARAD_SHUTDOWN_TIMEOUT?"));
    assert!(!said("NARAD_PORT_8080_TCP").contains("did you mean"));
}

#[test]
fn a_client_id_that_is_given_is_a_group_also_where_it_is_the_default_one() {
    assert!(read(&[]).unwrap().default_group("h").is_err());
    assert_eq!(read(&[("KAFKA_CLIENT_ID", "narad")]).unwrap().default_group("h").unwrap(), "narad");
    assert_eq!(
        read(&[("KAFKA_CLIENT_ID", "narad"), ("KAFKA_GROUP_ID", "g")]).unwrap().default_group("h").unwrap(),
        "g"
    );
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_refused_in_narads_variables_only() {
    use std::os::unix::ffi::OsStringExt;
    let var = |name: &str| [(OsString::from(name), OsString::from_vec(vec![0xff]))].into_iter();
    assert!(real(var("KAFKA_BROKERS")).unwrap_err().to_string().contains("KAFKA_BROKERS"));
    assert!(real(var("OTHER")).unwrap().is_empty());
}

/// With these variables of the environment, beside a file with this text.
fn beside(file: &str, real: &[(&str, &str)]) -> Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::write(&path, file).unwrap();
    from_vars(
        &real.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        &File::read(&path),
    )
}

#[test]
fn the_environment_wins_over_the_file() {
    assert_eq!(beside("KAFKA_CLIENT_ID=file", &[("KAFKA_CLIENT_ID", "real")]).unwrap().client_id, "real");
    let config = beside("REGION=eu", &[]).unwrap();
    assert_eq!(config.resolve("orders.${REGION}", "topic").unwrap(), "orders.eu");
}

#[test]
fn a_file_of_another_service_stops_nothing_and_its_values_are_literal() {
    let file = "\u{feff}APP_NAME=My \
     App\r\nDB_USER=CORP\\svc\r\nOWNER=Bob's\r\nMOTTO=it's\r\nJSON={\"a\": 1}\r\nA B C\r\n=\r\nPORT=\r\n\
                KAFKA_SASL_USERNAME=alice\r\nKAFKA_SASL_PASSWORD=alice$ecret\r\nKAFKA_GROUP_ID=one\r\nKAFKA_GROUP_ID=$APP_ENV-billing ";
    let config = beside(file, &[]).unwrap();
    assert_eq!(config.sasl_password.unwrap().reveal(), "alice$ecret");
    assert_eq!(config.group_id.as_deref(), Some("$APP_ENV-billing"));
    for (written, read) in [
        ("\"pa$$word\"", "pa$$word"),
        ("se\"cr\"et", "se\"cr\"et"),
        ("\" a b \"", " a b "),
        ("${X:-y}", "${X:-y}"),
    ] {
        let config = beside(&format!("KAFKA_SASL_USERNAME=u\nKAFKA_SASL_PASSWORD={written}"), &[]).unwrap();
        assert_eq!(config.sasl_password.unwrap().reveal(), read);
    }
}

#[test]
fn a_wrong_value_of_the_file_names_variable_and_line() {
    for (line, name) in [
        ("KAFKA_SSL=maybe", "KAFKA_SSL"),
        ("KAFKA_BROKERS=kafka:port", "KAFKA_BROKERS"),
        ("KAFKA_SASL_USERNAME=alice", "KAFKA_SASL_USERNAME"),
        ("KAFKA_SSL_CA=no/such/file.pem", "KAFKA_SSL_CA"),
        ("NARAD_ENV=staging", "NARAD_ENV"),
        ("NARAD_GROUP=a", "NARAD_GROUP"),
        ("NARAD_COMMIT_INTERVAL=0", "NARAD_COMMIT_INTERVAL"),
        ("NARAD_KAFKA_LINGER_MS=soon", "NARAD_KAFKA_LINGER_MS"),
        ("NARAD_KAFKA_FETCH_MIN_BITES=1", "NARAD_KAFKA_FETCH_MIN_BITES"),
    ] {
        let said = beside(&format!("A=\"1\n2\"\n{line}\n"), &[]).unwrap_err().to_string();
        assert!(said.contains(name) && said.ends_with("(line 3 of .env)") && !said.contains('\n'), "{said}");
    }
    let config = beside("\nNARAD_HANDLER_COUNT_TIMEOUT=soon", &[]).unwrap();
    let kind = crate::config::HandlerKind { batch: false, blocking: false };
    let said = config
        .handler_overrides
        .resolve(&[("count", &crate::handler::OptionsSpec::NONE, kind)])
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("NARAD_HANDLER_COUNT_TIMEOUT: ") && said.ends_with("(line 2 of .env)"),
        "{said}"
    );
    let said = beside("KAFKA_SSL=true", &[("KAFKA_SSL", "maybe")]).unwrap_err().to_string();
    assert!(!said.contains("line"), "{said}");
}

#[test]
fn a_variable_that_is_empty_is_not_set_hides_that_of_the_file_and_is_named_at_the_start() {
    let (mut all, mut names) = (Vec::new(), Vec::new());
    for name in SHOWN.into_iter().chain(SECRETS).chain(KNOWN).filter(|name| !name.contains('<')) {
        names.push(name.to_owned());
    }
    names.extend(SECRETS.iter().map(|name| format!("{name}_FILE")));
    names.extend(
        ["NARAD_HANDLER_COUNT_TIMEOUT", "NARAD_KAFKA_LINGER_MS", "NARAD_KAFKA_SSL_KEYSTORE_PASSWORD_FILE"]
            .map(str::to_owned),
    );
    for name in &names {
        for empty in ["", " "] {
            let config = beside(&format!("{name}=wrong"), &[(name, empty)]).unwrap();
            assert_eq!(config.notes, [format!("variables that are empty count as not set: {name}")]);
            assert_eq!(
                format!("{:?}", Config { notes: Vec::new(), ..config }),
                format!("{:?}", Config::default())
            );
        }
        assert_eq!(beside(&format!("{name}="), &[]).unwrap().notes.len(), 1, "{name}");
        all.push((name.as_str(), ""));
    }
    let notes = read(&all).unwrap().notes;
    assert!(notes.len() == 1 && names.iter().all(|name| notes[0].contains(name.as_str())), "{notes:?}");
    assert!(read(&[("KAFKA_PORT", ""), ("NARAD_TEST_LEDGER", ""), ("OTHER", "")]).unwrap().notes.is_empty());
}

#[test]
fn an_empty_form_of_a_secret_leaves_the_other_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "of the file").unwrap();
    let path = path.to_str().unwrap();
    let user = ("KAFKA_SASL_USERNAME", "alice");
    let config = read(&[user, ("KAFKA_SASL_PASSWORD", ""), ("KAFKA_SASL_PASSWORD_FILE", path)]).unwrap();
    assert_eq!(config.sasl_password.unwrap().reveal(), "of the file");
    let config =
        beside(&format!("KAFKA_SASL_PASSWORD_FILE={path}"), &[user, ("KAFKA_SASL_PASSWORD", "")]).unwrap();
    assert_eq!(config.sasl_password.unwrap().reveal(), "of the file");
}

#[test]
fn brokers_may_have_spaces_around_them_and_nothing_between_commas() {
    for (text, wanted) in [
        ("a:9092,", &["a:9092"][..]),
        (" a:9092 , b:9092 ", &["a:9092", "b:9092"]),
        (",a,,b, ", &["a:9092", "b:9092"]),
        ("[::1]:9092", &["[::1]:9092"]),
        ("Embedded,", &["embedded"]),
        ("[::1]:9092,[::2]", &["[::1]:9092", "[::2]:9092"]),
    ] {
        assert_eq!(read(&[("KAFKA_BROKERS", text)]).unwrap().brokers, wanted);
    }
    assert_eq!(read(&[("NARAD_GROUPS", "a,")]).unwrap().groups.unwrap(), ["a"]);
    assert!(read(&[("KAFKA_BROKERS", " , ")]).unwrap_err().to_string().contains("no name"));
}

#[test]
fn what_is_no_text_in_the_file_is_refused_in_narads_variables_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::write(&path, b"OTHER=\xff\nKAFKA_GROUP_ID=\xff").unwrap();
    let said = from_vars(&BTreeMap::new(), &File::read(&path)).unwrap_err().to_string();
    assert_eq!(said, "KAFKA_GROUP_ID: the value is not UTF-8 (line 2 of .env)");
    std::fs::write(&path, b"OTHER=\xff").unwrap();
    from_vars(&BTreeMap::new(), &File::read(&path)).unwrap();
}

#[test]
fn no_secret_shows() {
    let canary = "hunter2-canary";
    let config = read(&[
        ("KAFKA_SASL_USERNAME", canary),
        ("KAFKA_SASL_PASSWORD", canary),
        ("NARAD_KAFKA_SSL_KEYSTORE_PASSWORD", canary),
    ])
    .unwrap();
    assert!(!format!("{config:?}").contains(canary));
}

#[test]
fn a_secret_comes_from_its_variable_or_from_the_file_that_another_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let path = file.to_str().unwrap();
    for (written, wanted) in
        [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), (" a b \n", " a b ")]
    {
        std::fs::write(&file, written).unwrap();
        let config = read(&[("KAFKA_SASL_USERNAME_FILE", path), ("KAFKA_SASL_PASSWORD_FILE", path)]).unwrap();
        for secret in [&config.sasl_username, &config.sasl_password] {
            assert_eq!(secret.as_ref().unwrap().reveal(), wanted);
        }
    }
    let property = read(&[("NARAD_KAFKA_SSL_KEYSTORE_PASSWORD_FILE", path)]).unwrap();
    assert_eq!(property.librdkafka.get("ssl.keystore.password"), Some(" a b "));
    // A property of librdkafka itself that ends so is that.
    assert!(forms("NARAD_KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE").is_empty());
}

#[test]
fn a_secret_and_its_file_at_once_name_both_and_the_environment_wins_over_both_of_the_file() {
    let user = ("KAFKA_SASL_USERNAME", "alice");
    for name in SECRETS.into_iter().chain(["NARAD_KAFKA_SSL_KEYSTORE_PASSWORD"]) {
        let file = format!("{name}_FILE");
        let said = read(&[user, (name, "canary"), (&file, "canary")]).unwrap_err().to_string();
        assert!(said.contains(&format!("{name} and {file}")) && !said.contains("canary"), "{said}");
    }
    let config =
        beside("KAFKA_SASL_PASSWORD_FILE=nowhere", &[user, ("KAFKA_SASL_PASSWORD", "real")]).unwrap();
    assert_eq!(config.sasl_password.unwrap().reveal(), "real");
}

#[test]
fn a_file_that_cannot_be_read_is_one_line_with_variable_and_path() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty, binary) =
        (folder.path().join("missing"), folder.path().join("empty"), folder.path().join("binary"));
    std::fs::write(&empty, "\n").unwrap();
    std::fs::write(&binary, b"canary\xff").unwrap();
    for path in [&missing, &empty, &binary, &folder.path().to_owned()] {
        let path = path.to_str().unwrap();
        for name in SECRETS {
            let name = format!("{name}_FILE");
            let said = read(&[(&name, path)]).unwrap_err().to_string();
            // Whether certificates go together is asked first.
            let alone = name == "KAFKA_SSL_CERT_FILE" || name == "KAFKA_SSL_KEY_FILE";
            assert!(said.contains(&name.replace("_FILE", "")) && (alone || said.contains(path)), "{said}");
            assert!(!said.contains('\n') && !said.contains("canary"), "{said}");
        }
    }
}

#[test]
fn a_key_that_cannot_be_used_names_its_variable() {
    let certificate = "-----BEGIN CERTIFICATE-----\\nx\\n-----END CERTIFICATE-----";
    let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\\nx\\n-----END ENCRYPTED PRIVATE KEY-----";
    let said = |more: &[(&str, &str)]| {
        read(&[&[("KAFKA_SSL_CERT", certificate)], more].concat()).unwrap_err().to_string()
    };
    assert!(said(&[("KAFKA_SSL_KEY", key)]).contains("set KAFKA_SSL_KEY_PASSWORD"));
    assert!(said(&[("KAFKA_SSL_KEY", certificate)]).contains("KAFKA_SSL_KEY: the PEM holds no private key"));
    assert!(
        said(&[("KAFKA_SSL_KEY", "-----BEGIN KEY")]).contains("KAFKA_SSL_KEY: the PEM holds no private key")
    );
    assert!(
        said(&[("KAFKA_SSL_KEY", key), ("KAFKA_SSL_KEY_PASSWORD", &"x".repeat(1024))])
            .contains("KAFKA_SSL_KEY_PASSWORD")
    );
    let alone = read(&[("KAFKA_SSL_KEY_PASSWORD", "canary")]).unwrap_err().to_string();
    assert!(alone.contains("KAFKA_SSL_KEY is not") && !alone.contains("canary"), "{alone}");
}
