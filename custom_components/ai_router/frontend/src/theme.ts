// How all cards look: Home Assistant's own colours, sizes and spaces, so that every theme fits.
import { css } from "lit";

export const theme = css`
  :host {
    display: block;
    height: 100%;
    --good: var(--success-color, #43a047);
    --warn: var(--warning-color, #ffa600);
    --bad: var(--error-color, #db4437);
    --quiet: var(--secondary-text-color, #727272);
    --line: var(--divider-color, rgba(0, 0, 0, 0.12));
    --small: var(--ha-font-size-s, 12px);
    --normal: var(--ha-font-size-m, 14px);
    --large: var(--ha-font-size-2xl, 24px);
    /* The primary colour alone is too pale for text on a light card. */
    --link: color-mix(in srgb, var(--primary-color) 60%, var(--primary-text-color));
    --strong: var(--ha-font-weight-medium, 500);
  }
  ha-card {
    height: 100%;
    box-sizing: border-box;
    display: flex;
    flex-direction: column;
    overflow: hidden;
    color: var(--primary-text-color);
    font-size: var(--normal);
    line-height: 1.4;
  }
  .body {
    container: card / inline-size;
    flex: 1;
    min-height: 0;
    overflow-y: auto;
    padding: var(--ha-space-4, 16px);
  }
  h2,
  h3,
  p,
  ul {
    margin: 0;
    padding: 0;
    font-weight: inherit;
    font-size: inherit;
  }
  ul {
    list-style: none;
  }
  section + section,
  .notice + section {
    margin-top: var(--ha-space-5, 20px);
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    justify-content: space-between;
    gap: 0 var(--ha-space-3, 12px);
  }
  h2 {
    min-width: 0;
    font-size: var(--ha-font-size-xl, 20px);
  }
  h3 {
    font-weight: var(--strong);
  }
  .quiet {
    color: var(--quiet);
  }
  /* A text may be in another language than the page, and then runs the other way. */
  .quiet,
  .notice > div {
    unicode-bidi: plaintext;
    text-align: match-parent;
  }
  .small {
    font-size: var(--small);
  }
  .name {
    display: inline-block;
    min-width: 0;
    max-width: 100%;
    overflow: hidden;
    text-overflow: ellipsis;
    vertical-align: bottom;
    white-space: nowrap;
  }
  .number {
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .good {
    color: var(--good);
  }
  .warn {
    color: var(--warn);
  }
  .bad {
    color: var(--bad);
  }
  ha-icon {
    --mdc-icon-size: 18px;
    flex: none;
    display: inline-flex;
  }
  .meter {
    height: 6px;
    border-radius: 3px;
    overflow: hidden;
    background: color-mix(in srgb, var(--primary-text-color) 15%, transparent);
  }
  .meter > span {
    display: block;
    height: 100%;
    border-radius: inherit;
    background: var(--primary-color);
    transition: width 0.4s;
  }
  .meter.warn > span {
    background: var(--warn);
  }
  .meter.bad > span {
    background: var(--bad);
  }
  button,
  .button {
    font: inherit;
    color: var(--link);
    background: none;
    border: none;
    border-radius: var(--ha-border-radius-md, 8px);
    padding: var(--ha-space-2, 8px) var(--ha-space-3, 12px);
    cursor: pointer;
    text-decoration: none;
    font-weight: var(--strong);
  }
  button:hover,
  .button:hover {
    background: color-mix(in srgb, var(--primary-color) 10%, transparent);
  }
  :focus-visible {
    outline: 2px solid var(--primary-color);
    outline-offset: 1px;
  }
  .notice {
    display: flex;
    gap: var(--ha-space-3, 12px);
    padding: var(--ha-space-3, 12px);
    margin-top: var(--ha-space-4, 16px);
    border-radius: var(--ha-border-radius-md, 8px);
    background: color-mix(in srgb, currentColor 12%, transparent);
  }
  .notice > div {
    color: var(--primary-text-color);
  }
  .notice strong {
    font-weight: var(--strong);
  }
  .empty {
    display: flex;
    flex-direction: column;
    align-items: center;
    gap: var(--ha-space-2, 8px);
    padding: var(--ha-space-6, 24px) var(--ha-space-4, 16px);
    text-align: center;
  }
  .empty ha-icon {
    --mdc-icon-size: 40px;
    color: var(--quiet);
  }
  @media (forced-colors: active) {
    .meter {
      border: 1px solid CanvasText;
    }
    .meter > span {
      forced-color-adjust: none;
      background: Highlight !important;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      transition: none !important;
      animation: none !important;
    }
  }
`;
