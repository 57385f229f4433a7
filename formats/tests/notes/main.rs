//! Notes, checkpoints, cosignatures, policies, proof files and witness requests: golden vectors, traps, mutations, properties.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod traps;
#[cfg(test)]
mod vectors;
