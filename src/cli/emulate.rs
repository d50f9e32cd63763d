//! `compline emulate`: the services that jobs talk to, on this machine, for trying out what one would not try on the
//! real ones. No store and no configuration.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use docusign_emulator::{ACCOUNT_ID, ClockMode, Emulator, INTEGRATION_KEY, Options, Rule, Switches, USER_ID};
use jiff::Timestamp;
use serde_json::json;

use super::exit::{CliError, Exit, Result};
use super::{Call, duration, instant, print};
use crate::app::signals::Signals;

#[derive(Debug, Subcommand)]
pub enum Emulate {
    /// DocuSign's OAuth and eSignature v2.1, with webhooks, limits and faults; docs/reference/docusign-emulator.md has all of it.
    #[command(after_help = AFTER)]
    Docusign(Box<Docusign>),
}

const AFTER: &str = "\
A fault is KIND[@CLASS]=CHANCE[:VALUE]. A call has one fault at most.
  kinds    lost-answer        done, and the connection cut before the answer
           late-commit:MS     the connection cut, and done that much later (300)
           error-after:STATUS done, and answered by this status (504)
           error-before:STATUS  not done, and answered by this status (503)
           lost-before        not done, and the connection cut
           html               not done, and answered 502 in HTML
           truncated          done, and the connection cut in the middle of the answer
           latency:MS         done, and the answer takes that much longer (1000)
           token-revoked      the token it comes with is worth nothing any more
  classes  any, token, create, post, put, get, download, delete
  chances  a number from 0 to 1, or how many of the next calls, such as 1x

The control API is under /_emulator, and answers only on loopback:
  GET  state, recorded, violations, envelopes?name=FIELD[&value=VALUE], connect/messages, clock, faults, switches
  POST envelopes/{envelopeId}/recipients/{recipientId}/{view|sign|decline}
  POST connect/deliver?mode=normal|duplicate|reverse|shuffle|drop
  POST clock/advance {\"seconds\": 60}, tokens/revoke
  PUT  faults {\"seed\": 7, \"rules\": [\"lost-answer@create=0.15\"]}, switches {\"limit_status\": 429},
       connect/keys {\"secrets\": [\"new\", \"old\"]}";

#[derive(Debug, Args)]
pub struct Docusign {
    /// Where it listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// What it says that its address is, as base_uri and in links, where something stands before it.
    #[arg(long, value_name = "URL")]
    base_uri: Option<String>,
    /// The `iss` of assertions.
    #[arg(long, value_name = "GUID", default_value = INTEGRATION_KEY)]
    integration_key: String,
    /// The `sub` of assertions: a user who has agreed.
    #[arg(long, value_name = "GUID", default_value = USER_ID)]
    user_id: String,
    /// A user who has not agreed yet, and does on the page /oauth/auth; may be given again.
    #[arg(long, value_name = "GUID")]
    no_consent_user: Vec<String>,
    #[arg(long, value_name = "GUID", default_value = ACCOUNT_ID)]
    account_id: String,
    /// The `aud` of assertions: a bare host.
    #[arg(long, value_name = "HOST", default_value = "account-d.docusign.com")]
    oauth_host: String,
    /// The RSA key in PEM that assertions are signed for; without one any signature is believed.
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// A key that signs deliveries; may be given again, and each makes a signature of its own.
    #[arg(long, value_name = "SECRET")]
    hmac_key: Vec<String>,
    /// Deliver to this scheme, host and port, whatever the webhook's URL says; deliveries never leave this machine.
    #[arg(long, value_name = "URL")]
    connect_to: Option<String>,
    /// Every answer takes this much longer.
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = duration)]
    latency: Duration,
    /// What goes wrong on purpose, as below; may be given again.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Rule>,
    /// The same seed and the same calls have the same faults.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fault_seed: u64,
    /// The clock stands, now or at this time, until /_emulator/clock/advance moves it.
    #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = instant)]
    virtual_clock: Option<Option<Timestamp>>,
    /// Calls in an hour and in 30 seconds: 3,000 and 200 of a developer's account, or 3,000 and 500 in production.
    #[arg(long, value_enum, default_value_t = Limits::Off)]
    limits: Limits,
    /// What nobody knows of the real service, such as `polling=per-url`; GET /_emulator/switches lists all; may be given again.
    #[arg(long, value_name = "NAME=VALUE")]
    switch: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Limits {
    Off,
    Developer,
    Production,
}

pub async fn run(call: &Call, command: Emulate) -> Result {
    let Emulate::Docusign(args) = command;
    let signals = Signals::listen();
    let base_uri = args.base_uri.clone();
    let (account, key) = (args.account_id.clone(), args.integration_key.clone());
    let user = args.user_id.clone();
    let emulator = Emulator::start(options(*args)?).await.map_err(not_started)?;
    if let Some(url) = &base_uri {
        emulator.seen_at(url);
    }
    let url = emulator.url();
    if !emulator.address().ip().is_loopback() {
        print::remark("the control API is refused, since this address is not loopback");
    }
    call.print.answer(
        &json!({"url": url, "account_id": account, "integration_key": key, "user_id": user}),
        || {
            format!(
                "DocuSign is emulated on {url}\n  account          {account}\n  integration key  {key}\n  user             \
                 {user}\n  state            {url}/_emulator/state"
            )
        },
    )?;
    print::remark("serving until interrupted (Ctrl-C)");
    signals.stop.cancelled().await;
    emulator.stop().await;
    Ok(Exit::Ok)
}

fn options(args: Docusign) -> Result<Options> {
    let mut switches = match args.limits {
        Limits::Off => Switches::default(),
        Limits::Developer => limited(200),
        Limits::Production => limited(500),
    };
    for switch in &args.switch {
        switches = switches
            .set(switch)
            .map_err(|why| CliError::usage(format!("--switch: {why}"), "correct it, or leave it out"))?;
    }
    Ok(Options {
        listen: args.listen,
        integration_key: args.integration_key,
        account_id: args.account_id,
        user_id: args.user_id,
        no_consent_users: args.no_consent_user,
        oauth_host: args.oauth_host,
        public_key: args.public_key.as_deref().map(public_key).transpose()?,
        hmac_keys: args.hmac_key,
        latency: args.latency,
        faults: args.fault,
        fault_seed: args.fault_seed,
        clock: match args.virtual_clock {
            None => ClockMode::Real,
            Some(None) => ClockMode::Standing,
            Some(Some(at)) => ClockMode::StandingAt(at),
        },
        switches,
        connect_to: args.connect_to,
    })
}

fn limited(burst: u32) -> Switches {
    Switches { hourly_limit: Some(3000), burst_limit: Some(burst), ..Switches::default() }
}

fn public_key(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        CliError::usage(
            format!("--public-key: {} cannot be read: {error}", path.display()),
            "name a file that holds an RSA public key in PEM",
        )
    })
}

fn not_started(error: io::Error) -> CliError {
    match error.kind() {
        io::ErrorKind::InvalidInput => {
            CliError::usage(error.to_string(), "correct the option, or leave it out")
        }
        io::ErrorKind::AddrInUse => {
            CliError::new(Exit::Failed, "the address is taken", "choose another with --listen, or port 0")
        }
        _ => CliError::from_chain(error),
    }
}
