//! Values of columns and parameters, as every database of the store takes and returns them: integers,
//! texts and bytes, or NULL. The types of this program convert to them in `transaction/convert.rs`.
//!
//! MUST NOT name anything of a database library.

use super::{StoreError, StoreResult};
use std::borrow::Cow;

/// Value of a column or a parameter.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Blob(&'a [u8]),
}

/// Values of a row, by column. Implemented by the row of each database library.
pub(super) trait Columns {
    fn value(&self, column: usize) -> StoreResult<Value<'_>>;
}

/// Row of a result.
pub(super) struct Row<'a>(pub(super) &'a dyn Columns);

impl Row<'_> {
    /// Reads a column; 0 is the first.
    pub(super) fn get<T: FromColumn>(&self, column: usize) -> StoreResult<T> {
        T::from_column(self.0.value(column)?)
    }
}

/// Whether a query goes on with the next row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextRow {
    Read,
    Skip,
}

pub(super) trait ToColumn {
    fn to_column(&self) -> Value<'_>;
}

pub(super) trait FromColumn: Sized {
    /// Converts a column. A value of another kind or range is an error: the store is damaged.
    fn from_column(value: Value<'_>) -> StoreResult<Self>;
}

/// Returns the error of a damaged value.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

impl<T: ToColumn + ?Sized> ToColumn for &T {
    fn to_column(&self) -> Value<'_> {
        (**self).to_column()
    }
}

impl<T: ToColumn> ToColumn for Option<T> {
    fn to_column(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToColumn::to_column)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: Value<'_>) -> StoreResult<Option<T>> {
        match value {
            Value::Null => Ok(None),
            value => T::from_column(value).map(Some),
        }
    }
}

macro_rules! integer_column {
    ($($type:ty),*) => {$(
        impl ToColumn for $type {
            fn to_column(&self) -> Value<'_> {
                Value::Integer(i64::from(*self))
            }
        }

        impl FromColumn for $type {
            fn from_column(value: Value<'_>) -> StoreResult<$type> {
                let number = match value {
                    Value::Integer(number) => <$type>::try_from(number).ok(),
                    _ => None,
                };
                number.ok_or_else(|| damaged("a number"))
            }
        }
    )*};
}

integer_column!(i64, u32, u8);

impl ToColumn for bool {
    fn to_column(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl FromColumn for bool {
    fn from_column(value: Value<'_>) -> StoreResult<bool> {
        i64::from_column(value).map(|number| number != 0)
    }
}

impl ToColumn for str {
    fn to_column(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl ToColumn for String {
    fn to_column(&self) -> Value<'_> {
        self.as_str().to_column()
    }
}

impl FromColumn for String {
    fn from_column(value: Value<'_>) -> StoreResult<String> {
        match value {
            Value::Text(text) => Ok(text.into_owned()),
            _ => Err(damaged("a text")),
        }
    }
}

impl ToColumn for [u8] {
    fn to_column(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<const N: usize> ToColumn for [u8; N] {
    fn to_column(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl ToColumn for Vec<u8> {
    fn to_column(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(value: Value<'_>) -> StoreResult<Vec<u8>> {
        match value {
            Value::Blob(bytes) => Ok(bytes.to_owned()),
            _ => Err(damaged("bytes")),
        }
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(value: Value<'_>) -> StoreResult<[u8; N]> {
        let bytes = match value {
            Value::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        };
        bytes.ok_or_else(|| damaged("bytes"))
    }
}

/// Parameters of a statement, in the order of their numbers: a tuple, or an array of one type.
pub(super) trait Parameters {
    fn with_values<T>(&self, run: impl FnOnce(&[Value<'_>]) -> T) -> T;
}

impl Parameters for () {
    fn with_values<T>(&self, run: impl FnOnce(&[Value<'_>]) -> T) -> T {
        run(&[])
    }
}

impl<C: ToColumn, const N: usize> Parameters for [C; N] {
    fn with_values<T>(&self, run: impl FnOnce(&[Value<'_>]) -> T) -> T {
        run(&self.each_ref().map(ToColumn::to_column))
    }
}

impl Parameters for Vec<&dyn ToColumn> {
    fn with_values<T>(&self, run: impl FnOnce(&[Value<'_>]) -> T) -> T {
        let values: Vec<_> = self.iter().map(ToColumn::to_column).collect();
        run(&values)
    }
}

macro_rules! tuple_parameters {
    ($($name:ident)*) => {
        impl<$($name: ToColumn),*> Parameters for ($($name,)*) {
            #[allow(non_snake_case)]
            fn with_values<T>(&self, run: impl FnOnce(&[Value<'_>]) -> T) -> T {
                let ($($name,)*) = self;
                run(&[$($name.to_column()),*])
            }
        }
    };
}

tuple_parameters!(A B);
tuple_parameters!(A B C);
tuple_parameters!(A B C D);
tuple_parameters!(A B C D E);
tuple_parameters!(A B C D E F);
tuple_parameters!(A B C D E F G);
tuple_parameters!(A B C D E F G H);
tuple_parameters!(A B C D E F G H I);
tuple_parameters!(A B C D E F G H I J);
tuple_parameters!(A B C D E F G H I J K);
tuple_parameters!(A B C D E F G H I J K L M);
