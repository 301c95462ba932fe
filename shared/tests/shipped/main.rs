//! Files that are shipped beside the programs: units, and pages whose statements name tests and
//! values of the code.

mod defaults;
mod generated;
mod manual;
mod promises;
mod reference;
mod release;
mod standards;
mod test_names;
mod units;
