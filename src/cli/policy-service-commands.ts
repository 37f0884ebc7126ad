import type { Command } from 'commander';

export function addPolicyServiceCommands(_policy: Command): void {}
