import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { ProblemError } from '../problem-details.js';
import { callerOf, type Role } from './caller.js';

const NEEDED_ROLE = 'vfio-warden:role';

/** What a route asks of its caller; without it `read` is enough. */
export const RequiresRole = (role: Role) => SetMetadata(NEEDED_ROLE, role);

@Injectable()
export class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const needed = this.reflector.get<Role | undefined>(NEEDED_ROLE, context.getHandler()) ?? 'read';
    const caller = callerOf(context.switchToHttp().getRequest<Request>());
    if (caller && (caller.role === 'operate' || caller.role === needed)) return true;
    throw new ProblemError(403, `this needs the role ${needed}`, {
      remedy: `Use a token with the role ${needed}, or the unix socket.`,
    });
  }
}
