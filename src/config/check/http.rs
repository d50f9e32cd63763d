//! Limits on callers of the API that name a route.

use std::collections::BTreeSet;

use super::{Findings, dotted, nearest_name};
use crate::config::settings::Settings;

pub(super) fn rate_limits(settings: &Settings, found: &mut Findings) {
    let routes = &settings.http.rate_limits.routes;
    if routes.is_empty() {
        return;
    }
    let known = routes_of_the_api();
    let names: Vec<_> = known.iter().map(String::as_str).collect();
    for route in routes.keys().filter(|route| !known.contains(*route)) {
        let path = ["http", "rate_limits", "routes", route].map(str::to_owned);
        let meant = nearest_name(route, &names);
        let meant = meant.map_or_else(
            || "write a method and a path of the OpenAPI document, such as \"POST /v1/jobs\"".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        found.add(dotted(&path), format!("there is no such route; {meant}"));
    }
}

/// Health is not counted, whatever is said of it.
fn routes_of_the_api() -> BTreeSet<String> {
    let document = engine::http::document();
    let paths =
        document.paths.paths.iter().filter(|(path, _)| !matches!(path.as_str(), "/livez" | "/readyz"));
    let routes = paths.flat_map(|(path, item)| {
        let methods =
            [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
        let there = methods.into_iter().filter(|(_, operation)| operation.is_some());
        there.map(move |(method, _)| format!("{method} {path}"))
    });
    routes.collect()
}
