// What `ai_router/subscribe` sends: everything first, then the parts that have changed. Money is decimal text.

export interface Budget {
  window: "day" | "week" | "month" | "total";
  limit: string;
  spent: string;
  over: boolean;
  hard: boolean;
  free_at: number | null;
}

export interface Spend {
  currency: string;
  today: string;
  month: string;
  projected: string;
  budgets: Budget[];
}

export interface WaitingProvider {
  id: string;
  name: string;
  kind: string;
  entity: string | null;
  waiting: true;
}

export interface WorkingProvider {
  id: string;
  name: string;
  kind: string;
  entity: string | null;
  waiting: false;
  enabled: boolean;
  local: boolean;
  health: string;
  reason: string | null;
  breaker: string;
  requests_per_minute: number;
  requests_limit: number | null;
  tokens_per_minute: number;
  tokens_limit: number | null;
  under_way: number;
  latency: number | null;
  success_rate: number | null;
  today: string;
  month: string;
  budgets: Budget[];
}

export type Provider = WaitingProvider | WorkingProvider;

/** Why a model stood where it stood in the plan: a code with its figures, or the words of a strategy of its own. */
export type Reason =
  | string
  | { because: string; number: number | null; share: number | null; seconds: number | null; price: string | null };

export interface RecentRequest {
  id: string;
  when: number;
  label: string | null;
  source: string;
  provider: string | null;
  model: string | null;
  pool: string | null;
  rule: string | null;
  reasons: Reason[];
  cached: boolean;
  cost: { amount: string; currency: string; estimated: boolean };
  latency: number;
  failure: string | null;
  tried: { provider: string; model: string; failure: string | null }[];
}

export interface Overview {
  set_up: boolean;
  spend: Spend | null;
  activity: { requests_today: number; under_way: number } | null;
  providers: Provider[];
  requests: RecentRequest[];
}
