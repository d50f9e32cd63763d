use super::*;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn store(folder: &Path) -> FileStore {
    keyed(folder, KEY)
}

fn keyed(folder: &Path, key: &str) -> FileStore {
    let path = folder.join(format!("key-{}", &key[..2]));
    std::fs::write(&path, format!("{key}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    FileStore::new(folder.join("secrets"), path)
}

fn version(name: &str) -> VersionId {
    VersionId(name.into())
}

fn labels(current: Option<&str>, pending: Option<&str>, previous: Option<&str>) -> Labels {
    let [current, pending, previous] = [current, pending, previous].map(|name| name.map(version));
    Labels { current, pending, previous }
}

async fn read(store: &FileStore, name: &str) -> Option<String> {
    let value = store.read("app-db", &version(name)).await.unwrap();
    value.map(|value| value.expose_secret().to_owned())
}

#[tokio::test]
async fn a_secret_goes_from_pending_to_current_to_previous_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    assert_eq!(store.labels("app-db").await.unwrap(), Labels::default());
    for (from, to) in [(None, "one"), (Some("one"), "two")] {
        assert_eq!(
            store.put_pending("app-db", &version(to), &SecretString::from(to)).await.unwrap(),
            Put::Kept
        );
        assert_eq!(store.labels("app-db").await.unwrap(), labels(from, Some(to), None));
        assert!(store.publish("app-db", from.map(version).as_ref(), &version(to)).await.unwrap());
    }
    assert_eq!(store.labels("app-db").await.unwrap(), labels(Some("two"), None, Some("one")));
    assert_eq!(
        (read(&store, "one").await.as_deref(), read(&store, "two").await.as_deref()),
        (Some("one"), Some("two"))
    );

    store.forget("app-db", &version("one")).await.unwrap();
    store.forget("app-db", &version("two")).await.unwrap();

    assert_eq!(store.labels("app-db").await.unwrap(), labels(Some("two"), None, None));
    assert_eq!((read(&store, "one").await, read(&store, "two").await.as_deref()), (None, Some("two")));
}

#[tokio::test]
async fn a_version_keeps_its_value_and_one_is_pending() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let put = async |name: &str, value: &str| {
        store.put_pending("app-db", &version(name), &SecretString::from(value)).await.unwrap()
    };

    assert_eq!(put("one", "first").await, Put::Kept);
    assert_eq!(put("one", "second").await, Put::Kept);
    assert_eq!(put("two", "third").await, Put::Other(version("one")));

    assert_eq!(read(&store, "one").await.as_deref(), Some("first"));
    assert_eq!(read(&store, "two").await, None);
}

#[tokio::test]
async fn of_two_that_publish_from_the_same_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    store.put_pending("app-db", &version("one"), &SecretString::from("1")).await.unwrap();

    let barrier = Arc::new(tokio::sync::Barrier::new(8));
    let publish = |_| {
        let (store, barrier) = (store.clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            store.publish("app-db", None, &version("one")).await.unwrap()
        })
    };
    let tasks: Vec<_> = (0..8).map(publish).collect();
    let mut published = 0;
    for task in tasks {
        published += u32::from(task.await.unwrap());
    }

    assert_eq!(published, 1);
    assert!(!store.publish("app-db", Some(&version("other")), &version("one")).await.unwrap());
}

#[tokio::test]
async fn the_previous_one_comes_back_when_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for (from, to) in [(None, "one"), (Some("one"), "two")] {
        store.put_pending("app-db", &version(to), &SecretString::from(to)).await.unwrap();
        store.publish("app-db", from.map(version).as_ref(), &version(to)).await.unwrap();
    }

    assert!(!store.publish_previous("app-db", &version("one")).await.unwrap());
    assert!(store.publish_previous("app-db", &version("two")).await.unwrap());

    assert_eq!(store.labels("app-db").await.unwrap(), labels(Some("one"), None, None));
    assert_eq!(read(&store, "two").await, None);
}

#[tokio::test]
async fn what_lies_there_is_nobodys_to_read_or_to_move() {
    let folder = tempfile::tempdir().unwrap();
    let own = store(folder.path());
    own.put_pending("app-db", &version("one"), &SecretString::from("planted-value")).await.unwrap();
    let (place, file) = (folder.path().join("secrets"), folder.path().join("secrets/app-db.json"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!((mode(&place), mode(&file)), (0o700, 0o600));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("planted-value"));
    // Under another name, with another key, and with a bit turned.
    std::fs::copy(&file, place.join("other.json")).unwrap();
    let moved = own.read("other", &version("one")).await.unwrap_err();
    let foreign = keyed(folder.path(), &"ff".repeat(32)).read("app-db", &version("one")).await.unwrap_err();
    for refused in [moved, foreign] {
        assert!(
            matches!(&refused, StoreError::Refused { problem, .. } if problem.contains("does not open")),
            "{refused}"
        );
    }
    std::fs::write(&file, "{").unwrap();
    let torn = own.labels("app-db").await.unwrap_err().to_string();
    assert!(torn.contains("bring it back from a backup"), "{torn}");
    for name in ["", "../up", ".hidden", "a/b", "ä"] {
        assert!(matches!(own.labels(name).await, Err(StoreError::Refused { .. })), "{name}");
    }
}

#[tokio::test]
async fn a_key_is_32_bytes_that_others_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let put =
        async |store: &FileStore| store.put_pending("a", &version("one"), &SecretString::from("1")).await;
    for text in ["abc".to_owned(), "0".repeat(63), "zz".repeat(32)] {
        let told = put(&keyed(folder.path(), &text)).await.unwrap_err().to_string();
        assert!(told.contains("openssl rand") && !told.contains(&text), "{told}");
    }
    let good = keyed(folder.path(), &format!("{}=", "A".repeat(43)));
    let path = folder.path().join("key-AA");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(put(&good).await.unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(put(&good).await.unwrap(), Put::Kept);
    std::fs::remove_file(&path).unwrap();
    assert!(put(&good).await.is_ok(), "nothing has to be sealed");
    assert!(good.read("a", &version("one")).await.unwrap_err().to_string().contains("key-AA"));
}
