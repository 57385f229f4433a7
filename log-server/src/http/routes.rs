//! The routes of both listeners: each with its role. Whatever is served stands here.

use axum::http::Method;
use axum::routing::{get, post};
use govlog_daemon::routes::{Role, Route};

use super::admin::{self, Admin};
use super::{App, batches, entries, journal, keys, openapi, records, tiles};

/// The public routes. Each is to be described in `openapi/parts`, else a test fails.
pub(crate) static ROUTES: &[Route<App>] = &[
    Route {
        method: Method::POST,
        path: "/entries",
        role: Role::Submit,
        name: "entries",
        handler: || post(entries::submit),
    },
    Route {
        method: Method::GET,
        path: "/entries/{id}",
        role: Role::Read,
        name: "receipt",
        handler: || get(entries::receipt),
    },
    Route {
        method: Method::GET,
        path: "/entries/{id}/statement",
        role: Role::Read,
        name: "statement",
        handler: || get(entries::statement),
    },
    Route {
        method: Method::GET,
        path: "/.well-known/scitt-keys",
        role: Role::Read,
        name: "keys",
        handler: || get(keys::set),
    },
    Route {
        method: Method::GET,
        path: "/.well-known/scitt-keys/{kid}",
        role: Role::Read,
        name: "keys",
        handler: || get(keys::one),
    },
    Route {
        method: Method::POST,
        path: "/v1/batches",
        role: Role::Submit,
        name: "batches",
        handler: || post(batches::submit),
    },
    Route {
        method: Method::GET,
        path: "/checkpoint",
        role: Role::Read,
        name: "checkpoint",
        handler: || get(tiles::checkpoint),
    },
    Route { method: Method::GET, path: "/tile/{*path}", role: Role::Read, name: "tile", handler: || get(tiles::tile) },
    Route {
        method: Method::GET,
        path: "/v1/proofs/inclusion",
        role: Role::Read,
        name: "proofs",
        handler: || get(journal::inclusion),
    },
    Route {
        method: Method::GET,
        path: "/v1/proofs/consistency",
        role: Role::Read,
        name: "proofs",
        handler: || get(journal::consistency),
    },
    Route {
        method: Method::GET,
        path: "/v1/streams",
        role: Role::Read,
        name: "streams",
        handler: || get(journal::stream),
    },
    Route {
        method: Method::GET,
        path: "/v1/admission-policy",
        role: Role::Read,
        name: "admission-policy",
        handler: || get(journal::admission_policy),
    },
    Route {
        method: Method::GET,
        path: "/v1/records",
        role: Role::Search,
        name: "records",
        handler: || get(records::search),
    },
    Route {
        method: Method::GET,
        path: "/v1/checkpoints",
        role: Role::Read,
        name: "checkpoints",
        handler: || get(journal::checkpoints),
    },
    Route {
        method: Method::GET,
        path: "/v1/conflicts",
        role: Role::Read,
        name: "conflicts",
        handler: || get(journal::conflicts),
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        role: Role::Read,
        name: "openapi",
        handler: || get(openapi::document),
    },
];

/// The routes of the admin listener.
pub(crate) static ADMIN_ROUTES: &[Route<Admin>] = &[
    Route {
        method: Method::GET,
        path: "/healthz",
        role: Role::Operate,
        name: "healthz",
        handler: || get(admin::health),
    },
    Route { method: Method::GET, path: "/readyz", role: Role::Operate, name: "readyz", handler: || get(admin::ready) },
    Route {
        method: Method::GET,
        path: "/metrics",
        role: Role::Operate,
        name: "metrics",
        handler: || get(admin::metrics),
    },
];
