//! How pages reach the shop's services.
//!
//! **Invariant:** a page asks no service but through [`Shop`].

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};

use crate::{
    http::{error::ApiError, routes::Services},
    integrations::razorpay::SandboxGateway,
    runtime::calls::Calls,
};

/// The services, as pages ask them.
#[derive(Clone)]
pub struct Shop(Data<Services>);

impl Shop {
    /// The shop of this request's app.
    ///
    /// # Errors
    /// [`ApiError::Internal`] in an app without services.
    pub fn of(req: &HttpRequest) -> Result<Self, ApiError> {
        let services = req.app_data::<Data<Services>>();
        services.cloned().map(Self).ok_or_else(|| ApiError::Internal("the app has no services".into()))
    }

    /// The services that are asked by calls.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.0.calls
    }

    /// The sandbox gateway, where it takes the payments.
    #[must_use]
    pub fn sandbox(&self) -> Option<&SandboxGateway> {
        self.0.sandbox.as_deref()
    }
}

impl FromRequest for Shop {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req))
    }
}
