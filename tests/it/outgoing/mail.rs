use std::sync::Arc;

use engine::adapters::mailer::{Encryption, SendError, Server, SmtpMailer};
use jobkit::testing::ManualClock;
use jobkit::{Mail, Mailer, Personal, SecretString};

use super::{mail_server, steady};
use crate::support::ports::free_port;
use crate::support::smtp::{Authority, PASSWORD, Smtp, USER};

fn mailer(server: &Server) -> SmtpMailer {
    SmtpMailer::new(server, steady(&Arc::new(ManualClock::default()))).unwrap()
}

fn signed_in(port: u16, encryption: Encryption, password: &str, authority: &Authority) -> Server {
    Server {
        credentials: Some((USER.into(), SecretString::from(password))),
        authority: Some(authority.certificate()),
        ..mail_server(port, encryption)
    }
}

fn mail_to(address: &str) -> Mail {
    let to = vec![Personal::new(address.to_owned())];
    Mail { to, subject: "Grüße".into(), text: "Nothing is the matter.\n".into() }
}

async fn sent(server: &Server, mail: &Mail) -> Result<(), String> {
    mailer(server).send("alert_1_ops", mail).await.map_err(|error| store::chain(&error))
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_by_starttls_and_by_tls_with_a_sign_in() {
    let authority = Authority::new();
    for (mode, encryption) in [("starttls", Encryption::StartTls), ("tls", Encryption::Tls)] {
        let smtp = Smtp::encrypted(mode, &authority);
        let server = signed_in(smtp.port, encryption, PASSWORD, &authority);
        mailer(&server).reach().await.unwrap();
        assert_eq!(smtp.mails(), Vec::<serde_json::Value>::new());

        sent(&server, &mail_to("ops@example.org")).await.unwrap();
        sent(&server, &mail_to("ops@example.org")).await.unwrap();

        let mails = smtp.arrived(2);
        assert_eq!(mails.len(), 2, "{mode}");
        let mail = &mails[0];
        assert_eq!((&mail["encrypted"], &mail["user"]), (&true.into(), &USER.into()), "{mode}");
        assert_eq!(
            (&mail["from"], &mail["to"][0]),
            (&"compline@example.org".into(), &"ops@example.org".into())
        );
        assert_eq!(mail["headers"]["subject"], "Grüße");
        assert_eq!(mail["text"].as_str().unwrap().trim(), "Nothing is the matter.");
        // Whoever gets it twice can see that.
        assert_eq!(mail["headers"]["message-id"], "<alert_1_ops@example.org>");
        assert_eq!(mail["headers"], mails[1]["headers"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (mode, encryption) in [("starttls", Encryption::StartTls), ("tls", Encryption::Tls)] {
        let smtp = Smtp::encrypted(mode, &authority);
        let server = signed_in(smtp.port, encryption, PASSWORD, &other);

        assert_eq!(mailer(&server).reach().await, Err(SendError::Tls), "{mode}");
        assert!(sent(&server, &mail_to("ops@example.org")).await.is_err());
        let server = Server { authority: None, ..server };
        assert_eq!(mailer(&server).reach().await, Err(SendError::Tls), "{mode}");
        assert_eq!(smtp.mails(), Vec::<serde_json::Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let smtp = Smtp::plain(0);
    let authority = Authority::new();
    let server = signed_in(smtp.port, Encryption::StartTls, PASSWORD, &authority);

    let refused = sent(&server, &mail_to("ops@example.org")).await.unwrap_err();

    assert!(refused.contains("does not offer"), "{refused}");
    assert_eq!(smtp.mails(), Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_told_by_its_number_without_its_words() {
    let authority = Authority::new();
    let smtp = Smtp::encrypted("starttls", &authority);
    let wrong = signed_in(smtp.port, Encryption::StartTls, "wrong", &authority);
    assert_eq!(mailer(&wrong).reach().await, Err(SendError::Refused(535)));
    let right = signed_in(smtp.port, Encryption::StartTls, PASSWORD, &authority);

    let refused = sent(&right, &mail_to("nobody@example.org")).await.unwrap_err();

    assert_eq!(refused, "sending mail: the mail server answered with 550");
    assert_eq!(
        sent(&right, &mail_to("no address")).await.unwrap_err(),
        "sending mail: an address of the mail is none"
    );
}

#[tokio::test]
async fn a_server_that_is_away_is_told_as_that() {
    let server = mail_server(free_port(), Encryption::None);

    assert_eq!(mailer(&server).reach().await, Err(SendError::Away));
}

/// Somebody left the house, and the others of the route want to know all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_is_gone_does_not_keep_a_mail_from_the_others() {
    let smtp = Smtp::plain(0);
    let to = ["ada@example.org", "nobody@example.org", "bob@example.org"];
    let mail = Mail { to: to.map(|to| Personal::new(to.to_owned())).into(), ..mail_to("") };

    sent(&mail_server(smtp.port, Encryption::None), &mail).await.unwrap();

    let reached: Vec<_> =
        smtp.arrived(2).iter().map(|mail| mail["to"][0].as_str().unwrap().to_owned()).collect();
    assert_eq!(reached, ["ada@example.org", "bob@example.org"]);
}
