import type { DocumentFile } from '../documents/validated-document.js';
import { BundleCompiler } from './bundle/bundle-compiler.js';
import type { PolicySet } from './policy-set.js';

/**
 * Makes one set of rules of policy documents, and of exemptions. A rule is named by policy and rule name, so both must be
 * unique.
 *
 * @throws LocatedErrors, all that were found
 */
export function loadPolicies(files: readonly DocumentFile[]): PolicySet {
  const compiler = new BundleCompiler();
  for (const file of files) compiler.add({ ...file, path: file.file });
  return compiler.finish().policy;
}
