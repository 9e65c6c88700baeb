//! Whatever is written is read back, and no bytes make the codec panic.

use proptest::prelude::*;

use super::*;

/// Objects whose keys are those of envelopes more often than not.
fn object() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop::sample::select(vec!["id", "type", "version", "timestamp", "source", "data", "n"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(3, 16, 4, {
        let name = name.clone();
        move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        }
    });
    prop::collection::vec((name, value), 0..8)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn read_back<T>(event: &T, format: Format, fields: Fields) -> Result<(), TestCaseError>
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let mut encoder = Encoder::new("shop");
    encoder.event::<Json, _>(event, &shape(&["EVENT"], format, fields), "EVENT").unwrap();
    let record = written(&encoder);
    for format in [Format::Envelope, Format::Flat] {
        let shape = shape(&["EVENT"], format, fields);
        let body = Body::json(&record);
        prop_assert!(body.check().is_ok() && body.type_is(&shape, "EVENT"));
        prop_assert_eq!(&body.event::<Json, T>(&shape).unwrap(), event);
        let meta = body.meta(&shape);
        prop_assert_eq!(meta.source.as_deref(), Some("shop"));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(user_id: String, ip: Option<String>, source: String, version: String) {
        let event = UserLogin { user_id, ip };
        for shape in [LOGIN, LOGIN_FLAT] {
            let mut encoder = Encoder::new(&source);
            encoder.event::<Json, _>(&event, &Shape { version: version.clone().leak(), ..shape }, "USER_LOGIN").unwrap();
            let record = written(&encoder);
            let body = Body::json(&record);
            prop_assert!(body.check().is_ok() && body.type_is(&shape, "USER_LOGIN"));
            prop_assert_eq!(&body.event::<Json, UserLogin>(&LOGIN).unwrap(), &event);
            let meta = body.meta(&shape);
            prop_assert_eq!(meta.source.as_deref(), Some(source.as_str()));
            prop_assert_eq!(meta.version.as_deref(), Some(version.as_str()));
            prop_assert!(meta.id.is_some() && meta.timestamp.is_some());
        }
    }

    /// Whatever is written in one format is read back equal by a reader of either, or refused by the writer.
    #[test]
    fn any_value_and_any_names_are_read_back(carried in object(), rest in object(), n: u64, text: String) {
        let formats = [Format::Envelope, Format::Flat];
        for format in formats {
            let carrier = Carrier { data: carried.clone(), n };
            let own = Fields::Named(&["data", "n"]);
            read_back(&carrier, format, own)?;
            let rest = rest.as_object().unwrap().clone().into_iter().filter(|(name, _)| name != "n").collect();
            let written = Flattened { n, rest };
            let mut encoder = Encoder::new("shop");
            if encoder.event::<Json, _>(&written, &shape(&["OPEN"], format, Fields::Open), "OPEN").is_ok() {
                let record = self::written(&encoder);
                for format in formats {
                    let shape = shape(&["OPEN"], format, Fields::Open);
                    let body = Body::json(&record);
                    prop_assert!(body.check().is_ok() && body.type_is(&shape, "OPEN"));
                    let mut read: Flattened = body.event::<Json, _>(&shape).unwrap();
                    // A map of unknown keys finds the metadata of a flat body.
                    read.rest.retain(|name, _| written.rest.contains_key(name) || !["type", "timestamp"].contains(&name.as_str()));
                    prop_assert_eq!(&read, &written);
                }
            }
        }
        read_back(&Name(text.clone()), Format::Envelope, Fields::Value)?;
        read_back(&Nothing, Format::Envelope, Fields::Value)?;
        read_back(&Untagged::Point { x: n, y: None }, Format::Flat, Fields::Named(&["x", "y", "id"]))?;
        read_back(&Untagged::Named { id: text.clone() }, Format::Flat, Fields::Named(&["x", "y", "id"]))?;
        read_back(&Adjacent::Left(n), Format::Flat, Fields::Named(&["kind", "body"]))?;
        read_back(&Holding::Text(Carrier { data: carried, n }), Format::Flat, Fields::Partly(&["kind"]))?;
        read_back(&Holding::Other { id: text.clone() }, Format::Flat, Fields::Partly(&["kind", "id"]))?;
        read_back(&Choice::Text(text.clone()), Format::Envelope, Fields::Value)?;
        read_back(&Tagged::One { n }, Format::Flat, Fields::Named(&["type", "n"]))?;
        read_back(&Tagged::One { n }, Format::Flat, Fields::Partly(&["type"]))?;
        read_back(&Typed { r#type: text, timestamp: n }, Format::Flat, Fields::Named(&["type", "timestamp"]))?;
    }

    #[test]
    fn no_bytes_panic(payload: Vec<u8>, header: Vec<u8>) {
        let record = record(Some(&payload), &[("narad-type", &header), ("type", &header)]);
        let body = Body::json(&record);
        for shape in [LOGIN, CARRIER, TYPED, OPEN, VALUE, ANY, SET] {
            let _ = (body.type_for(&shape), body.meta(&shape), body.event::<Json, UserLogin>(&shape).is_ok(), body.check().is_ok());
            let _ = (body.event::<Json, Nothing>(&shape).is_ok(), body.event::<Json, Borrowed<'_>>(&shape).is_ok(), body.value::<Value>().is_ok());
        }
    }
}
