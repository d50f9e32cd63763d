//! How the API is served, and who signs in there, as the settings have it.

use std::sync::Arc;

use engine::alerts::courier::Courier;
use engine::http::server::Door;
use engine::http::{self, Http};
use engine::identity::password::Passwords;
use engine::identity::{self, Identity, Lives};
use engine::limits::callers::Callers;
use engine::service::Service;
use engine::triggers;
use engine::triggers::door::Doors;
use engine::worker::Until;

use super::{App, AppError, RunOptions, isolation, outgoing};
use crate::config;
use crate::config::listen::Listen;
use crate::config::settings::{self, Settings};

impl App {
    /// Serves the API from here on, if it is to be served. An address that cannot be had is told before anything runs.
    pub(super) async fn http(
        &self,
        settings: &Settings,
        options: &RunOptions,
        until: &Until,
        courier: Option<Arc<Courier>>,
    ) -> Result<Option<Service>, AppError> {
        let hooks = triggers::webhooks(&settings.triggers, &self.around())?;
        let doors = Doors::new(&self.around());
        let identity_settings = &settings.identity;
        let platform = outgoing::platform(settings, &self.clock)?.map(Arc::new);
        let settings = &settings.http;
        let address = match settings.listen {
            Listen::At(address) => address,
            Listen::Off => return Ok(None),
            Listen::Auto => match options.auto_listen {
                Some(address) => address,
                None => return Ok(None),
            },
        };
        let token = settings.token.as_ref().map(http::Token::load).transpose()?;
        if token.is_none() && identity_settings.key.is_none() {
            tracing::warn!(
                "http.token is not set: only health, signed deliveries and tokens of services are served; set it to \"env:NAME\" or \"file:PATH\""
            );
        }
        isolation::check(&*self.store).await?;
        let identity = self.identity(identity_settings)?;
        let door = Door::open(address).await.map_err(|cause| AppError::Setting {
            field: "http.listen",
            problem: format!("{address} cannot be listened on: {cause}; name another address, or \"off\""),
        })?;
        let http = Http::new(
            http::Parts {
                store: self.store.clone(),
                queue: self.queue.clone(),
                scheduler: self.scheduler.clone(),
                usage: self.limits.clone(),
                approvals: self.approvals.clone(),
                registry: self.registry.clone(),
                clock: self.clock.clone(),
                artifacts: self.artifacts.clone(),
                uploads: self.uploads.clone(),
                hooks,
                doors,
                courier,
                token,
                identity,
                platform,
                admin_networks: settings.admin_networks.clone(),
                proxies: settings.trusted_proxies.clone(),
                limits: http_limits(settings),
                callers: Arc::new(self.callers(settings)),
                origins: settings.cors_origins.clone(),
                hints: self.hints(),
                stop: until.stop.child_token(),
            },
            &self.alarm,
        );
        Ok(Some(http.serve(door, until.hard.clone(), &self.alarm)))
    }

    fn callers(&self, settings: &settings::Http) -> Callers {
        let (store, redis) = (self.store.clone(), self.redis.clone());
        Callers::new(settings.rate_limits.clone(), store, redis, self.clock.clone())
    }

    /// Who signs people in; none without a key.
    fn identity(&self, settings: &config::identity::Identity) -> Result<Option<Arc<Identity>>, AppError> {
        let Some(key) = &settings.key else { return Ok(None) };
        let lives = Lives {
            access: settings.access_life,
            idle: settings.session_idle,
            session: settings.session_life,
        };
        let parts = identity::Parts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            keyring: self.keyring.clone(),
            passwords: Arc::new(Passwords::new()?),
            keys: identity::keys::Keys::load(key)?,
            lives,
        };
        Ok(Some(Arc::new(Identity::new(parts))))
    }
}

fn http_limits(settings: &settings::Http) -> http::Limits {
    http::Limits {
        body_bytes: settings.body_bytes,
        memory_bytes: settings.memory_bytes,
        batch: settings.batch,
        header_timeout: settings.header_timeout,
        body_timeout: settings.body_timeout,
        answer_timeout: settings.answer_timeout,
        write_timeout: settings.write_timeout,
        connections: settings.connections,
        stop_delay: settings.stop_delay,
    }
}
