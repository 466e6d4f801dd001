/** Every probe type by its key in YAML. Adding one is a file beside this one and a line here. */
import type { ProbeTypes } from '../ports.ts';

export const probeTypes: ProbeTypes = {};
