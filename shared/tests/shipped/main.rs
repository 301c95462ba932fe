//! Files that are shipped beside the programs: units, and pages whose statements name tests and
//! values of the code.

mod defaults;
mod release;
mod standards;
mod units;
