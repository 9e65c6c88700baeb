//! The bounds that serde's representation asks of a type's parameters.
//!
//! The mirror is told them by `#[serde(bound)]` and the implementations repeat them, so that both agree by
//! construction.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::visit_mut::{VisitMut, visit_path_mut, visit_type_path_mut};
use syn::{Data, DeriveInput, Field, Path, PathArguments, Type, TypePath, WherePredicate, parse_quote};

use super::serde_attr::{Both, SerdeAttrs};

/// The predicates for writing and for reading (over `'de`).
pub(crate) fn bounds(
    input: &DeriveInput,
    container: &SerdeAttrs,
    private: &TokenStream,
) -> Both<Vec<WherePredicate>> {
    let mut bounds = Both {
        ser: container.bound.ser.clone().unwrap_or_default(),
        de: container.bound.de.clone().unwrap_or_default(),
    };
    let mut wanted = Both { ser: Uses::of(input), de: Uses::of(input) };
    let mut defaults = Uses::of(input);
    for (variant, field) in fields(input) {
        let attrs = SerdeAttrs::parse(&field.attrs);
        let own = [variant.bound.ser.as_ref(), attrs.bound.ser.as_ref()];
        bounds.ser.extend(own.into_iter().flatten().flatten().cloned());
        if own == [None, None] && !(variant.skip.ser || variant.with.ser || attrs.skip.ser || attrs.with.ser)
        {
            wanted.ser.add(&field.ty);
        }
        let own = [variant.bound.de.as_ref(), attrs.bound.de.as_ref()];
        bounds.de.extend(own.into_iter().flatten().flatten().cloned());
        if own == [None, None] && !(variant.skip.de || variant.with.de || attrs.skip.de || attrs.with.de) {
            wanted.de.add(&field.ty);
        }
        if attrs.default || (attrs.skip.de && !attrs.with.de) {
            defaults.add(&field.ty);
        }
    }
    if container.bound.ser.is_none() {
        bounds.ser.extend(wanted.ser.predicates(&quote!(#private::serde::Serialize)));
    }
    if container.bound.de.is_none() {
        bounds.de.extend(wanted.de.predicates(&quote!(#private::serde::Deserialize<'de>)));
        bounds.de.extend(defaults.predicates(&quote!(#private::std::default::Default)));
        if container.default && input.generics.type_params().next().is_some() {
            let (name, (_, ty_generics, _)) = (&input.ident, input.generics.split_for_impl());
            bounds.de.push(parse_quote!(#name #ty_generics: #private::std::default::Default));
        }
    }
    bounds
}

pub(crate) fn fields(input: &DeriveInput) -> Vec<(SerdeAttrs, &Field)> {
    match &input.data {
        Data::Struct(data) => data.fields.iter().map(|field| (SerdeAttrs::default(), field)).collect(),
        Data::Enum(data) => data
            .variants
            .iter()
            .flat_map(|variant| variant.fields.iter().map(|field| (SerdeAttrs::parse(&variant.attrs), field)))
            .collect(),
        Data::Union(_) => vec![],
    }
}

/// Which type parameters, and which of their associated types, stand in the fields.
pub(crate) struct Uses {
    parameters: Vec<Ident>,
    used: Vec<Type>,
}

impl Uses {
    pub(crate) fn of(input: &DeriveInput) -> Self {
        Self {
            parameters: input.generics.type_params().map(|param| param.ident.clone()).collect(),
            used: vec![],
        }
    }

    pub(crate) fn add(&mut self, ty: &Type) {
        if !self.parameters.is_empty() {
            self.visit_type_mut(&mut ty.clone());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    fn predicates(&self, bound: &TokenStream) -> Vec<WherePredicate> {
        self.used.iter().map(|ty| parse_quote!(#ty: #bound)).collect()
    }

    fn push(&mut self, used: Type) {
        if !self.used.contains(&used) {
            self.used.push(used);
        }
    }

    fn is_parameter(&self, path: &Path) -> bool {
        path.leading_colon.is_none()
            && path.segments.first().is_some_and(|first| self.parameters.contains(&first.ident))
    }
}

impl VisitMut for Uses {
    fn visit_type_path_mut(&mut self, ty: &mut TypePath) {
        if ty.qself.is_none() && self.is_parameter(&ty.path) {
            self.push(Type::Path(ty.clone()));
            return;
        }
        // `<T as Trait>::Item` is what the field holds, not `T`.
        if let Some(qself) = &ty.qself {
            let mut inside = Uses { parameters: self.parameters.clone(), used: vec![] };
            inside.visit_type_mut(&mut qself.ty.as_ref().clone());
            if !inside.is_empty() {
                self.push(Type::Path(ty.clone()));
            }
            return;
        }
        visit_type_path_mut(self, ty);
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        // Serde writes a `PhantomData` whatever it is of.
        if path
            .segments
            .last()
            .is_some_and(|last| last.ident == "PhantomData" && !matches!(last.arguments, PathArguments::None))
        {
            return;
        }
        visit_path_mut(self, path);
    }
}

/// A `where` clause with these predicates beside the type's own.
pub(crate) fn where_clause(
    input: &DeriveInput,
    more: impl IntoIterator<Item = impl ToTokens>,
) -> TokenStream {
    let own = input
        .generics
        .where_clause
        .iter()
        .flat_map(|clause| clause.predicates.iter().map(ToTokens::to_token_stream));
    let all: Vec<_> = own.chain(more.into_iter().map(|predicate| predicate.to_token_stream())).collect();
    if all.is_empty() { TokenStream::new() } else { quote!(where #(#all),*) }
}
