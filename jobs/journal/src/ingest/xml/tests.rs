use super::*;

/// Opened elements with their texts, or the error.
fn read(xml: &[u8]) -> String {
    let mut xml = Xml::new(xml);
    let mut found = String::new();
    loop {
        match xml.next() {
            Ok(Node::Open) => found += &format!("<{}>", xml.name()),
            Ok(Node::Close) => found += "/",
            Ok(Node::Text) => found += xml.text(),
            Ok(Node::End) => return found,
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn namespaces_are_passed_over_and_own_entities_resolved() {
    let xml = b"<?xml version=\"1.0\"?><!-- no --><x:a xmlns:x=\"urn\"><b>1 &lt; 2&#33;<![CDATA[ <raw> ]]></b><x:c/></x:a>";

    assert_eq!(read(xml), "<a><b>1 < 2! <raw> /<c>//");
}

#[test]
fn what_could_pull_in_or_blow_up_is_refused() {
    let deep = ["<a>".repeat(65), "</a>".repeat(65)].concat();
    let long = format!("<a>{}</a>", "x".repeat(3 << 20));
    let tag = format!("<a b=\"{}\"/>", "x".repeat(3 << 20));
    for (xml, error) in [
        (
            "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
            "the XML is broken near line 1: declares a document type, which can pull in other files; remove it",
        ),
        (
            "<a>\n\n&b;</a>",
            "the XML is broken near line 3: entity `&b;` is not one of XML's own; write the text",
        ),
        (
            "<a><b></a>",
            "the XML is broken near line 1: ill-formed document: expected `</b>`, but `</a>` was found",
        ),
        ("<a>", "the XML is broken near line 1: ends in the middle of an element"),
        (&deep, "the XML is broken near line 1: elements lie more than 64 deep"),
        (&long, "the XML is broken near line 1: a tag or text is longer than 1 MiB"),
        (&tag, "the XML is broken near line 1: a tag or text is longer than 1 MiB"),
    ] {
        assert_eq!(read(xml.as_bytes()), error);
    }
}
