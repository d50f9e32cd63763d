//! Where artifacts are kept, and containers of Azure.

use super::*;

#[test]
fn a_place_that_cannot_be_is_refused_where_it_stands_with_a_remedy() {
    for (text, line, expected) in [
        (
            "[artifacts]\nurl = \"s3://books/jobs\"\n[buckets.books]\n[journal]\nroots = [\"s3://books\"]\n",
            2,
            "`artifacts.url`: is read by others: `s3://books` of journal.roots lies in it or around it",
        ),
        ("[artifacts]\nurl = \"/srv/artifacts\"\n", 2, "`artifacts.url`: is no place in a bucket; write"),
        (
            "[artifacts]\nurl = \"s3://books/jobs\"\n",
            2,
            "lies in no bucket that is configured; add [buckets.books]",
        ),
        (
            "[artifacts]\nurl = \"azure://books/jobs\"\n",
            2,
            "no container that is configured; add [containers.books]",
        ),
        ("[artifacts]\nkeep = \"1h\"\n", 2, "`artifacts.keep`: must be at least \"1d\", or \"forever\""),
        ("[containers.Books]\naccount = \"acc\"\n", 2, "`containers.Books`: is no name of a container"),
        (
            "[containers.books]\naccount = \"a-b\"\n",
            2,
            "`containers.books.account`: must name the storage account",
        ),
        (
            "[containers.books]\naccount = \"acc\"\naccess_key = \"env:KEY\"\nsas = \"env:SAS\"\n",
            4,
            "`containers.books.sas`: is one right too many",
        ),
        (
            "[containers.books]\naccount = \"acc\"\nendpoint = \"books.example\"\n",
            3,
            "`containers.books.endpoint`: must be an address such as",
        ),
    ] {
        let told = load_text(text).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
        assert!(told.contains(&format!("compline.toml:{line}")), "{told}");
    }
}

#[test]
fn a_bucket_and_a_container_are_named_by_their_sections() {
    let s3 = "[artifacts]\nurl = \"s3://books/jobs\"\n[buckets.books]\n";
    let azure = "[artifacts]\nurl = \"azure://books/jobs\"\nkeep = \"30d\"\n[containers.books]\naccount = \"acc\"\nsas = \"env:SAS\"\n";

    for text in [s3, azure] {
        load_text(text).unwrap();
    }
}
