//! Reads JSON as it comes: a value of the wrong type is no reason to lose an entry.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

use crate::model::entry::MAX_LIST;

/// A text, or a number or truth value where a text should be; anything else is nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LooseText(pub Option<String>);

impl LooseText {
    /// The text.
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// A list, or one thing where a list should be; anything else is an empty one. Its things may be bare texts or objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LooseList<T>(pub Vec<T>);

impl<T> Default for LooseList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for LooseText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = LooseText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<LooseText, E> {
        Ok(LooseText(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<LooseText, E> {
        Ok(LooseText(Some(text)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<LooseText, E> {
        Ok(LooseText(None))
    }

    fn visit_i64<E>(self, number: i64) -> Result<LooseText, E> {
        Ok(LooseText(Some(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<LooseText, E> {
        Ok(LooseText(Some(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<LooseText, E> {
        Ok(LooseText(Some(number.to_string())))
    }

    fn visit_unit<E>(self) -> Result<LooseText, E> {
        Ok(LooseText(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LooseText, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LooseText(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LooseText, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LooseText(None))
    }
}

impl<'de, T: Deserialize<'de> + FromText> Deserialize<'de> for LooseList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(std::marker::PhantomData))
    }
}

/// What can stand as a bare text where an object or a list is expected.
pub trait FromText: Sized {
    /// The thing that a bare text means.
    fn from_text(text: &str) -> Self;
}

impl FromText for LooseText {
    fn from_text(text: &str) -> Self {
        LooseText(Some(text.to_owned()))
    }
}

struct ListVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de> + FromText> Visitor<'de> for ListVisitor<T> {
    type Value = LooseList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_str<E>(self, text: &str) -> Result<LooseList<T>, E> {
        Ok(LooseList(vec![T::from_text(text)]))
    }

    fn visit_bool<E>(self, _: bool) -> Result<LooseList<T>, E> {
        Ok(LooseList::default())
    }

    fn visit_i64<E>(self, number: i64) -> Result<LooseList<T>, E> {
        Ok(LooseList(vec![T::from_text(&number.to_string())]))
    }

    fn visit_u64<E>(self, number: u64) -> Result<LooseList<T>, E> {
        Ok(LooseList(vec![T::from_text(&number.to_string())]))
    }

    fn visit_f64<E>(self, number: f64) -> Result<LooseList<T>, E> {
        Ok(LooseList(vec![T::from_text(&number.to_string())]))
    }

    fn visit_unit<E>(self) -> Result<LooseList<T>, E> {
        Ok(LooseList::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LooseList<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(LooseList(one)) = seq.next_element::<LooseList<T>>()? {
            list.extend(one);
            list.truncate(MAX_LIST);
        }
        Ok(LooseList(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LooseList<T>, A::Error> {
        let one = T::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(LooseList(vec![one]))
    }
}

/// An object, or nothing where something else stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MaybeVisitor(std::marker::PhantomData))
    }
}

struct MaybeVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MaybeVisitor<T> {
    type Value = Maybe<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_str<E>(self, _: &str) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_unit<E>(self) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Maybe<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Maybe(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Maybe<T>, A::Error> {
        T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|object| Maybe(Some(object)))
    }
}

/// Reads a list of objects one at a time into a sink, so that a list which breaks off has given what came before.
pub struct Each<'s, T> {
    /// Takes each object, or nothing for what is none.
    pub sink: &'s mut dyn FnMut(Option<T>),
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(Maybe(one)) = seq.next_element::<Maybe<T>>()? {
            (self.sink)(one);
        }
        Ok(())
    }
}
