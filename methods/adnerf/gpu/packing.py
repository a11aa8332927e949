"""What is packed for a GPU: one person's recording, see `methods.radiance.gpu.packing`."""

from methods.radiance.gpu.packing import pack_data as pack_data
