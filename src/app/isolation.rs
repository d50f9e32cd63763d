//! Whether the database keeps tenants apart, looked at before the API is opened.

use store::{Isolation, Store, chain};

use super::AppError;

/// What is amiss is told; where the configuration asks for more than the database gives, nothing is opened.
pub async fn check(store: &dyn Store) -> Result<(), AppError> {
    let (amiss, required) = match store.isolation().await {
        Ok(Isolation::Statements) => return Ok(()),
        Ok(Isolation::Policies { amiss, required }) => (amiss, required),
        // Away: each request of a tenant asks anew whether its role is there, and is refused where it must be.
        Err(problem) => {
            tracing::warn!(
                "whether the database keeps tenants apart could not be asked: {}",
                chain(&problem)
            );
            return Ok(());
        }
    };
    if amiss.is_empty() {
        return Ok(());
    }
    let told = amiss.join("; ");
    if required {
        let problem = format!("is \"required\", and the database does not keep tenants apart: {told}");
        return Err(AppError::Setting { field: "store.row_security", problem });
    }
    tracing::warn!(
        "tenants are kept apart by our statements alone, or not by all policies: {told}; docs/operations/tenants.md"
    );
    Ok(())
}
