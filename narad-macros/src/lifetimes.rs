//! Types as generated code writes them where it has no lifetime parameters of its own.

use quote::ToTokens;
use syn::visit_mut::{VisitMut, visit_type_fn_ptr_mut, visit_type_trait_object_mut};
use syn::{Lifetime, LifetimeParam, Type, TypeFnPtr, TypeTraitObject};

/// The type with these lifetimes, and those that are elided, replaced by one of this name; those that it
/// binds by `for<'a>` stay.
pub(crate) fn renamed(ty: &Type, lifetimes: &[Lifetime], name: &str) -> Type {
    let mut ty = ty.clone();
    Renamed { name, lifetimes }.visit_type_mut(&mut ty);
    ty
}

struct Renamed<'a> {
    name: &'a str,
    lifetimes: &'a [Lifetime],
}

impl VisitMut for Renamed<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" || self.lifetimes.contains(lifetime) {
            *lifetime = Lifetime::new(self.name, lifetime.span());
        }
    }

    // In `fn(&'_ str)` the lifetime is the function's own.
    fn visit_type_fn_ptr_mut(&mut self, ty: &mut TypeFnPtr) {
        if ty.to_token_stream().to_string().contains('\'') && !self.lifetimes.is_empty() {
            visit_type_fn_ptr_mut(self, ty);
        }
    }

    fn visit_type_trait_object_mut(&mut self, ty: &mut TypeTraitObject) {
        visit_type_trait_object_mut(self, ty);
    }

    fn visit_lifetime_param_mut(&mut self, _: &mut LifetimeParam) {}
}
