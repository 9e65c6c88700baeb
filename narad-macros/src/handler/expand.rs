//! The registration and the adapter of a handler.

use narad_syntax::options::Place;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Type, parse_quote};

use super::args::Args;
use super::signature::{Param, Signature};
use crate::about::about;
use crate::attr::{Text, at, located, option};

pub(crate) fn expand(args: &Args, signature: &Signature, private: &TokenStream) -> TokenStream {
    let Signature { cfgs, .. } = signature;
    let checks = checks(args, signature, private);
    let adapter = adapter(signature, private);
    let spec = spec(args, signature, private);
    quote! {
        #(#cfgs)*
        #[allow(deprecated, clippy::let_unit_value)]
        const _: () = {
            #[allow(unused_imports)]
            use #private::{NoEvent as _, NotBesideBatch as _};

            #checks
            #adapter

            #private::inventory::submit! { #private::Registration(#spec) }
        };
    }
}

/// What depends on the kinds of the parameters, which only their types know.
fn checks(args: &Args, signature: &Signature, private: &TokenStream) -> TokenStream {
    let options = &args.options;
    let several = options.values.concurrency.filter(|concurrency| *concurrency > 1);
    let several = several.and_then(|_| options.place("concurrency", Place::Value));
    if signature.params.len() < 2 && options.given("batch").is_none() && several.is_none() {
        // One parameter fits whatever it is.
        return TokenStream::new();
    }
    // Of a header no event is made, whatever its type.
    let nothing: Type = parse_quote!(());
    let probed =
        |param: &'_ Param| if param.header.is_some() { nothing.clone() } else { param.fixed.clone() };
    let types = signature.params.iter().map(probed);
    let each = signature.params.iter().enumerate().map(|(index, param)| {
        let (ty, private) = (probed(param), located(private, param.span));
        quote_spanned! {at(param.span)=>
            const _: () = #private::assert_fits(__NARAD_KINDS, #index, #private::Probe::<#ty>::BESIDE_BATCH);
        }
    });
    let batch = options.given("batch").map(|span| {
        let private = located(private, span);
        quote_spanned!(at(span)=> const _: () = #private::assert_batch(__NARAD_KINDS);)
    });
    let several = several.map(|span| {
        let private = located(private, span);
        quote_spanned!(at(span)=> const _: () = #private::assert_no_batch(__NARAD_KINDS);)
    });
    quote! {
        const __NARAD_KINDS: &[u8] = &[#(#private::Probe::<#types>::KIND),*];
        #(#each)*
        #batch
        #several
    }
}

fn adapter(signature: &Signature, private: &TokenStream) -> TokenStream {
    let handler = &signature.name;
    // The function is called among these names, and may have any name itself.
    let local = |name: &str| Ident::new(&format!("__narad_{name}"), Span::mixed_site());
    let (slot, input, value, reply) = (local("slot"), local("input"), local("value"), local("reply"));
    let mut returned = local("returned");
    returned.set_span(returned.span().located_at(signature.output));
    let values: Vec<_> = (0..signature.params.len()).map(|index| local(&index.to_string())).collect();
    let extracts = signature.params.iter().zip(&values).map(|(param, value_of)| {
        let extract = extract(param, &input, private);
        let late = if signature.is_async { quote!(#value.await) } else { quote!(#private::wait(#value)) };
        quote! {
            let #value_of = match #extract {
                #private::Extracted::Made(#value) => #value,
                #private::Extracted::Refused(#reply) => return #reply,
                #private::Extracted::Late(#value) => match #late {
                    #private::std::result::Result::Ok(#value) => #value,
                    #private::std::result::Result::Err(#reply) => return #reply,
                },
            };
        }
    });
    let wait = signature.is_async.then(|| quote!(.await));
    let here = located(private, signature.output);
    let first = quote_spanned!(at(signature.output)=> #here::Input::first(&#input));
    let source = match &signature.returned {
        Some(ty) => quote_spanned!(at(signature.output)=> #here::Probe::<#ty>::SOURCE),
        None => option(private, None::<TokenStream>),
    };
    let made = match signature.returns_result {
        // What its error lacks is said of the error.
        true => quote_spanned!(at(signature.output)=> #here::result_into_reply(#returned, #first, #source)),
        false => quote_spanned!(at(signature.output)=> #here::IntoReply::into_reply(#returned, #first)),
    };
    let body = quote! {
        #(#extracts)*
        let #returned = #handler(#(#values),*)#wait;
        #made
    };
    if signature.is_async {
        // A future that is not `Send` is the function's.
        let mut here = slot.clone();
        here.set_span(here.span().located_at(handler.span()));
        let set = quote_spanned!(at(handler.span())=> #here.set(async move { #body }););
        quote! {
            fn __narad_adapter(#slot: &mut #private::Slot, #input: #private::Input) {
                #set
            }
        }
    } else {
        quote! {
            fn __narad_adapter(#input: #private::Input) -> #private::Reply { #body }
        }
    }
}

/// One parameter, made for the attempt. Its type stands here once: what is wrong with it is said once.
fn extract(param: &Param, input: &Ident, private: &TokenStream) -> TokenStream {
    let Param { elided, span, .. } = param;
    let here = located(private, *span);
    if let Some(name) = &param.header {
        return quote_spanned!(at(*span)=> <#elided as #here::FromHeader<'_>>::taken(&#input, #name));
    }
    let kind = kind(param, &here);
    quote_spanned!(at(*span)=> <#elided as #here::Param<'_, #kind>>::extract(&#input))
}

/// The kind of a parameter, which only its type knows.
fn kind(Param { fixed, span, .. }: &Param, here: &TokenStream) -> TokenStream {
    quote_spanned! {at(*span)=>
        { #here::kind(#here::Probe::<#fixed>::KIND, #here::Probe::<#fixed>::WAITS) }
    }
}

fn spec(args: &Args, signature: &Signature, private: &TokenStream) -> TokenStream {
    let name = args
        .name
        .get()
        .map_or_else(|| signature.name.unraw().to_string().to_token_stream(), ToTokens::to_token_stream);
    let about = about(&signature.name, &signature.docs, None, private);
    let topics = topics(args, private);
    let group = option(private, args.group.get());
    let options = options(args, private);
    let call = if signature.is_async { quote!(Async) } else { quote!(Blocking) };
    let takes = signature.params.iter().map(|param| {
        let (ty, private) = (&param.fixed, located(private, param.span));
        if param.header.is_some() {
            return quote!(#private::Takes::beside);
        }
        let kind = kind(param, &private);
        // With `'_` the error about what is no parameter is that of the adapter, and is shown once.
        quote_spanned!(at(param.span)=> <#ty as #private::Param<'_, #kind>>::takes)
    });
    // Found as the kinds are, without a bound: the error about what cannot be returned is that of the
    // adapter.
    let returns = signature.returned.as_ref().map_or_else(
        || quote!(#private::Probe::<()>::RETURNS),
        |ty| quote_spanned!(at(signature.output)=> #private::Probe::<#ty>::RETURNS),
    );
    quote! {
        #private::HandlerSpec {
            name: #name,
            module: #private::std::module_path!(),
            about: #about,
            topics: #topics,
            group: #group,
            options: #options,
            call: #private::Call::#call(__narad_adapter),
            params: &[#(#takes),*],
            returns: #returns,
        }
    }
}

fn topics(args: &Args, private: &TokenStream) -> TokenStream {
    if let Some(pattern) = args.pattern.get() {
        return quote!(#private::TopicsSpec::Pattern(#pattern));
    }
    let names: Vec<&Text> =
        args.topic.get().into_iter().chain(args.topics.get().into_iter().flatten()).collect();
    quote!(#private::TopicsSpec::Names(&[#(#names),*]))
}

fn options(args: &Args, private: &TokenStream) -> TokenStream {
    let written = args.options.fields(private);
    let default = args.default.get().map(|()| quote!(default: true,));
    if default.is_none() && written.is_empty() {
        return quote!(#private::OptionsSpec::NONE);
    }
    quote!(#private::OptionsSpec { #default #written ..#private::OptionsSpec::NONE })
}
