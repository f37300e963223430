var Y=globalThis,Q=Y.ShadowRoot&&(Y.ShadyCSS===void 0||Y.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,ve=Symbol(),De=new WeakMap,M=class{constructor(e,o,s){if(this._$cssResult$=!0,s!==ve)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=e,this.t=o}get styleSheet(){let e=this.o,o=this.t;if(Q&&e===void 0){let s=o!==void 0&&o.length===1;s&&(e=De.get(o)),e===void 0&&((this.o=e=new CSSStyleSheet).replaceSync(this.cssText),s&&De.set(o,e))}return e}toString(){return this.cssText}},Fe=t=>new M(typeof t=="string"?t:t+"",void 0,ve),v=(t,...e)=>{let o=t.length===1?t[0]:e.reduce((s,a,r)=>s+(n=>{if(n._$cssResult$===!0)return n.cssText;if(typeof n=="number")return n;throw Error("Value passed to 'css' function must be a 'css' function result: "+n+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(a)+t[r+1],t[0]);return new M(o,t,ve)},je=(t,e)=>{if(Q)t.adoptedStyleSheets=e.map(o=>o instanceof CSSStyleSheet?o:o.styleSheet);else for(let o of e){let s=document.createElement("style"),a=Y.litNonce;a!==void 0&&s.setAttribute("nonce",a),s.textContent=o.cssText,t.appendChild(s)}},be=Q?t=>t:t=>t instanceof CSSStyleSheet?(e=>{let o="";for(let s of e.cssRules)o+=s.cssText;return Fe(o)})(t):t;var{is:Ft,defineProperty:jt,getOwnPropertyDescriptor:Kt,getOwnPropertyNames:zt,getOwnPropertySymbols:Gt,getPrototypeOf:Vt}=Object,Z=globalThis,Ke=Z.trustedTypes,Jt=Ke?Ke.emptyScript:"",Yt=Z.reactiveElementPolyfillSupport,U=(t,e)=>t,ke={toAttribute(t,e){switch(e){case Boolean:t=t?Jt:null;break;case Object:case Array:t=t==null?t:JSON.stringify(t)}return t},fromAttribute(t,e){let o=t;switch(e){case Boolean:o=t!==null;break;case Number:o=t===null?null:Number(t);break;case Object:case Array:try{o=JSON.parse(t)}catch{o=null}}return o}},Ge=(t,e)=>!Ft(t,e),ze={attribute:!0,type:String,converter:ke,reflect:!1,useDefault:!1,hasChanged:Ge};Symbol.metadata??=Symbol("metadata"),Z.litPropertyMetadata??=new WeakMap;var T=class extends HTMLElement{static addInitializer(e){this._$Ei(),(this.l??=[]).push(e)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(e,o=ze){if(o.state&&(o.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(e)&&((o=Object.create(o)).wrapped=!0),this.elementProperties.set(e,o),!o.noAccessor){let s=Symbol(),a=this.getPropertyDescriptor(e,s,o);a!==void 0&&jt(this.prototype,e,a)}}static getPropertyDescriptor(e,o,s){let{get:a,set:r}=Kt(this.prototype,e)??{get(){return this[o]},set(n){this[o]=n}};return{get:a,set(n){let m=a?.call(this);r?.call(this,n),this.requestUpdate(e,m,s)},configurable:!0,enumerable:!0}}static getPropertyOptions(e){return this.elementProperties.get(e)??ze}static _$Ei(){if(this.hasOwnProperty(U("elementProperties")))return;let e=Vt(this);e.finalize(),e.l!==void 0&&(this.l=[...e.l]),this.elementProperties=new Map(e.elementProperties)}static finalize(){if(this.hasOwnProperty(U("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(U("properties"))){let o=this.properties,s=[...zt(o),...Gt(o)];for(let a of s)this.createProperty(a,o[a])}let e=this[Symbol.metadata];if(e!==null){let o=litPropertyMetadata.get(e);if(o!==void 0)for(let[s,a]of o)this.elementProperties.set(s,a)}this._$Eh=new Map;for(let[o,s]of this.elementProperties){let a=this._$Eu(o,s);a!==void 0&&this._$Eh.set(a,o)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(e){let o=[];if(Array.isArray(e)){let s=new Set(e.flat(1/0).reverse());for(let a of s)o.unshift(be(a))}else e!==void 0&&o.push(be(e));return o}static _$Eu(e,o){let s=o.attribute;return s===!1?void 0:typeof s=="string"?s:typeof e=="string"?e.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(e=>this.enableUpdating=e),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(e=>e(this))}addController(e){(this._$EO??=new Set).add(e),this.renderRoot!==void 0&&this.isConnected&&e.hostConnected?.()}removeController(e){this._$EO?.delete(e)}_$E_(){let e=new Map,o=this.constructor.elementProperties;for(let s of o.keys())this.hasOwnProperty(s)&&(e.set(s,this[s]),delete this[s]);e.size>0&&(this._$Ep=e)}createRenderRoot(){let e=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return je(e,this.constructor.elementStyles),e}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(e=>e.hostConnected?.())}enableUpdating(e){}disconnectedCallback(){this._$EO?.forEach(e=>e.hostDisconnected?.())}attributeChangedCallback(e,o,s){this._$AK(e,s)}_$ET(e,o){let s=this.constructor.elementProperties.get(e),a=this.constructor._$Eu(e,s);if(a!==void 0&&s.reflect===!0){let r=(s.converter?.toAttribute!==void 0?s.converter:ke).toAttribute(o,s.type);this._$Em=e,r==null?this.removeAttribute(a):this.setAttribute(a,r),this._$Em=null}}_$AK(e,o){let s=this.constructor,a=s._$Eh.get(e);if(a!==void 0&&this._$Em!==a){let r=s.getPropertyOptions(a),n=typeof r.converter=="function"?{fromAttribute:r.converter}:r.converter?.fromAttribute!==void 0?r.converter:ke;this._$Em=a;let m=n.fromAttribute(o,r.type);this[a]=m??this._$Ej?.get(a)??m,this._$Em=null}}requestUpdate(e,o,s,a=!1,r){if(e!==void 0){let n=this.constructor;if(a===!1&&(r=this[e]),s??=n.getPropertyOptions(e),!((s.hasChanged??Ge)(r,o)||s.useDefault&&s.reflect&&r===this._$Ej?.get(e)&&!this.hasAttribute(n._$Eu(e,s))))return;this.C(e,o,s)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(e,o,{useDefault:s,reflect:a,wrapped:r},n){s&&!(this._$Ej??=new Map).has(e)&&(this._$Ej.set(e,n??o??this[e]),r!==!0||n!==void 0)||(this._$AL.has(e)||(this.hasUpdated||s||(o=void 0),this._$AL.set(e,o)),a===!0&&this._$Em!==e&&(this._$Eq??=new Set).add(e))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(o){Promise.reject(o)}let e=this.scheduleUpdate();return e!=null&&await e,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(let[a,r]of this._$Ep)this[a]=r;this._$Ep=void 0}let s=this.constructor.elementProperties;if(s.size>0)for(let[a,r]of s){let{wrapped:n}=r,m=this[a];n!==!0||this._$AL.has(a)||m===void 0||this.C(a,void 0,r,m)}}let e=!1,o=this._$AL;try{e=this.shouldUpdate(o),e?(this.willUpdate(o),this._$EO?.forEach(s=>s.hostUpdate?.()),this.update(o)):this._$EM()}catch(s){throw e=!1,this._$EM(),s}e&&this._$AE(o)}willUpdate(e){}_$AE(e){this._$EO?.forEach(o=>o.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(e)),this.updated(e)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(e){return!0}update(e){this._$Eq&&=this._$Eq.forEach(o=>this._$ET(o,this[o])),this._$EM()}updated(e){}firstUpdated(e){}};T.elementStyles=[],T.shadowRootOptions={mode:"open"},T[U("elementProperties")]=new Map,T[U("finalized")]=new Map,Yt?.({ReactiveElement:T}),(Z.reactiveElementVersions??=[]).push("2.1.2");var Ae=globalThis,Ve=t=>t,X=Ae.trustedTypes,Je=X?X.createPolicy("lit-html",{createHTML:t=>t}):void 0,xe="$lit$",A=`lit$${Math.random().toFixed(9).slice(2)}$`,$e="?"+A,Qt=`<${$e}>`,C=document,D=()=>C.createComment(""),F=t=>t===null||typeof t!="object"&&typeof t!="function",Se=Array.isArray,tt=t=>Se(t)||typeof t?.[Symbol.iterator]=="function",Te=`[ 	
\f\r]`,B=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Ye=/-->/g,Qe=/>/g,L=RegExp(`>|${Te}(?:([^\\s"'>=/]+)(${Te}*=${Te}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),Ze=/'/g,Xe=/"/g,ot=/^(?:script|style|textarea|title)$/i,qe=t=>(e,...o)=>({_$litType$:t,strings:e,values:o}),l=qe(1),Mo=qe(2),Uo=qe(3),x=Symbol.for("lit-noChange"),c=Symbol.for("lit-nothing"),et=new WeakMap,R=C.createTreeWalker(C,129);function st(t,e){if(!Se(t)||!t.hasOwnProperty("raw"))throw Error("invalid template strings array");return Je!==void 0?Je.createHTML(e):e}var at=(t,e)=>{let o=t.length-1,s=[],a,r=e===2?"<svg>":e===3?"<math>":"",n=B;for(let m=0;m<o;m++){let i=t[m],u,y,h=-1,f=0;for(;f<i.length&&(n.lastIndex=f,y=n.exec(i),y!==null);)f=n.lastIndex,n===B?y[1]==="!--"?n=Ye:y[1]!==void 0?n=Qe:y[2]!==void 0?(ot.test(y[2])&&(a=RegExp("</"+y[2],"g")),n=L):y[3]!==void 0&&(n=L):n===L?y[0]===">"?(n=a??B,h=-1):y[1]===void 0?h=-2:(h=n.lastIndex-y[2].length,u=y[1],n=y[3]===void 0?L:y[3]==='"'?Xe:Ze):n===Xe||n===Ze?n=L:n===Ye||n===Qe?n=B:(n=L,a=void 0);let p=n===L&&t[m+1].startsWith("/>")?" ":"";r+=n===B?i+Qt:h>=0?(s.push(u),i.slice(0,h)+xe+i.slice(h)+A+p):i+A+(h===-2?m:p)}return[st(t,r+(t[o]||"<?>")+(e===2?"</svg>":e===3?"</math>":"")),s]},j=class t{constructor({strings:e,_$litType$:o},s){let a;this.parts=[];let r=0,n=0,m=e.length-1,i=this.parts,[u,y]=at(e,o);if(this.el=t.createElement(u,s),R.currentNode=this.el.content,o===2||o===3){let h=this.el.content.firstChild;h.replaceWith(...h.childNodes)}for(;(a=R.nextNode())!==null&&i.length<m;){if(a.nodeType===1){if(a.hasAttributes())for(let h of a.getAttributeNames())if(h.endsWith(xe)){let f=y[n++],p=a.getAttribute(h).split(A),g=/([.?@])?(.*)/.exec(f);i.push({type:1,index:r,name:g[2],strings:p,ctor:g[1]==="."?te:g[1]==="?"?oe:g[1]==="@"?se:I}),a.removeAttribute(h)}else h.startsWith(A)&&(i.push({type:6,index:r}),a.removeAttribute(h));if(ot.test(a.tagName)){let h=a.textContent.split(A),f=h.length-1;if(f>0){a.textContent=X?X.emptyScript:"";for(let p=0;p<f;p++)a.append(h[p],D()),R.nextNode(),i.push({type:2,index:++r});a.append(h[f],D())}}}else if(a.nodeType===8)if(a.data===$e)i.push({type:2,index:r});else{let h=-1;for(;(h=a.data.indexOf(A,h+1))!==-1;)i.push({type:7,index:r}),h+=A.length-1}r++}}static createElement(e,o){let s=C.createElement("template");return s.innerHTML=e,s}};function E(t,e,o=t,s){if(e===x)return e;let a=s!==void 0?o._$Co?.[s]:o._$Cl,r=F(e)?void 0:e._$litDirective$;return a?.constructor!==r&&(a?._$AO?.(!1),r===void 0?a=void 0:(a=new r(t),a._$AT(t,o,s)),s!==void 0?(o._$Co??=[])[s]=a:o._$Cl=a),a!==void 0&&(e=E(t,a._$AS(t,e.values),a,s)),e}var ee=class{constructor(e,o){this._$AV=[],this._$AN=void 0,this._$AD=e,this._$AM=o}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(e){let{el:{content:o},parts:s}=this._$AD,a=(e?.creationScope??C).importNode(o,!0);R.currentNode=a;let r=R.nextNode(),n=0,m=0,i=s[0];for(;i!==void 0;){if(n===i.index){let u;i.type===2?u=new P(r,r.nextSibling,this,e):i.type===1?u=new i.ctor(r,i.name,i.strings,this,e):i.type===6&&(u=new ae(r,this,e)),this._$AV.push(u),i=s[++m]}n!==i?.index&&(r=R.nextNode(),n++)}return R.currentNode=C,a}p(e){let o=0;for(let s of this._$AV)s!==void 0&&(s.strings!==void 0?(s._$AI(e,s,o),o+=s.strings.length-2):s._$AI(e[o])),o++}},P=class t{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(e,o,s,a){this.type=2,this._$AH=c,this._$AN=void 0,this._$AA=e,this._$AB=o,this._$AM=s,this.options=a,this._$Cv=a?.isConnected??!0}get parentNode(){let e=this._$AA.parentNode,o=this._$AM;return o!==void 0&&e?.nodeType===11&&(e=o.parentNode),e}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(e,o=this){e=E(this,e,o),F(e)?e===c||e==null||e===""?(this._$AH!==c&&this._$AR(),this._$AH=c):e!==this._$AH&&e!==x&&this._(e):e._$litType$!==void 0?this.$(e):e.nodeType!==void 0?this.T(e):tt(e)?this.k(e):this._(e)}O(e){return this._$AA.parentNode.insertBefore(e,this._$AB)}T(e){this._$AH!==e&&(this._$AR(),this._$AH=this.O(e))}_(e){this._$AH!==c&&F(this._$AH)?this._$AA.nextSibling.data=e:this.T(C.createTextNode(e)),this._$AH=e}$(e){let{values:o,_$litType$:s}=e,a=typeof s=="number"?this._$AC(e):(s.el===void 0&&(s.el=j.createElement(st(s.h,s.h[0]),this.options)),s);if(this._$AH?._$AD===a)this._$AH.p(o);else{let r=new ee(a,this),n=r.u(this.options);r.p(o),this.T(n),this._$AH=r}}_$AC(e){let o=et.get(e.strings);return o===void 0&&et.set(e.strings,o=new j(e)),o}k(e){Se(this._$AH)||(this._$AH=[],this._$AR());let o=this._$AH,s,a=0;for(let r of e)a===o.length?o.push(s=new t(this.O(D()),this.O(D()),this,this.options)):s=o[a],s._$AI(r),a++;a<o.length&&(this._$AR(s&&s._$AB.nextSibling,a),o.length=a)}_$AR(e=this._$AA.nextSibling,o){for(this._$AP?.(!1,!0,o);e!==this._$AB;){let s=Ve(e).nextSibling;Ve(e).remove(),e=s}}setConnected(e){this._$AM===void 0&&(this._$Cv=e,this._$AP?.(e))}},I=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(e,o,s,a,r){this.type=1,this._$AH=c,this._$AN=void 0,this.element=e,this.name=o,this._$AM=a,this.options=r,s.length>2||s[0]!==""||s[1]!==""?(this._$AH=Array(s.length-1).fill(new String),this.strings=s):this._$AH=c}_$AI(e,o=this,s,a){let r=this.strings,n=!1;if(r===void 0)e=E(this,e,o,0),n=!F(e)||e!==this._$AH&&e!==x,n&&(this._$AH=e);else{let m=e,i,u;for(e=r[0],i=0;i<r.length-1;i++)u=E(this,m[s+i],o,i),u===x&&(u=this._$AH[i]),n||=!F(u)||u!==this._$AH[i],u===c?e=c:e!==c&&(e+=(u??"")+r[i+1]),this._$AH[i]=u}n&&!a&&this.j(e)}j(e){e===c?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,e??"")}},te=class extends I{constructor(){super(...arguments),this.type=3}j(e){this.element[this.name]=e===c?void 0:e}},oe=class extends I{constructor(){super(...arguments),this.type=4}j(e){this.element.toggleAttribute(this.name,!!e&&e!==c)}},se=class extends I{constructor(e,o,s,a,r){super(e,o,s,a,r),this.type=5}_$AI(e,o=this){if((e=E(this,e,o,0)??c)===x)return;let s=this._$AH,a=e===c&&s!==c||e.capture!==s.capture||e.once!==s.once||e.passive!==s.passive,r=e!==c&&(s===c||a);a&&this.element.removeEventListener(this.name,this,s),r&&this.element.addEventListener(this.name,this,e),this._$AH=e}handleEvent(e){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,e):this._$AH.handleEvent(e)}},ae=class{constructor(e,o,s){this.element=e,this.type=6,this._$AN=void 0,this._$AM=o,this.options=s}get _$AU(){return this._$AM._$AU}_$AI(e){E(this,e)}},rt={M:xe,P:A,A:$e,C:1,L:at,R:ee,D:tt,V:E,I:P,H:I,N:oe,U:se,B:te,F:ae},Zt=Ae.litHtmlPolyfillSupport;Zt?.(j,P),(Ae.litHtmlVersions??=[]).push("3.3.3");var nt=(t,e,o)=>{let s=o?.renderBefore??e,a=s._$litPart$;if(a===void 0){let r=o?.renderBefore??null;s._$litPart$=a=new P(e.insertBefore(D(),r),r,void 0,o??{})}return a._$AI(t),a};var Le=globalThis,S=class extends T{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){let e=super.createRenderRoot();return this.renderOptions.renderBefore??=e.firstChild,e}update(e){let o=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(e),this._$Do=nt(o,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return x}};S._$litElement$=!0,S.finalized=!0,Le.litElementHydrateSupport?.({LitElement:S});var Xt=Le.litElementPolyfillSupport;Xt?.({LitElement:S});(Le.litElementVersions??=[]).push("4.2.2");var it={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},dt=t=>(...e)=>({_$litDirective$:t,values:e}),re=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,o,s){this._$Ct=e,this._$AM=o,this._$Ci=s}_$AS(e,o){return this.update(e,o)}update(e,o){return this.render(...o)}};var{I:eo}=rt,ht=t=>t;var lt=()=>document.createComment(""),O=(t,e,o)=>{let s=t._$AA.parentNode,a=e===void 0?t._$AB:e._$AA;if(o===void 0){let r=s.insertBefore(lt(),a),n=s.insertBefore(lt(),a);o=new eo(r,n,t,t.options)}else{let r=o._$AB.nextSibling,n=o._$AM,m=n!==t;if(m){let i;o._$AQ?.(t),o._$AM=t,o._$AP!==void 0&&(i=t._$AU)!==n._$AU&&o._$AP(i)}if(r!==a||m){let i=o._$AA;for(;i!==r;){let u=ht(i).nextSibling;ht(s).insertBefore(i,a),i=u}}}return o},q=(t,e,o=t)=>(t._$AI(e,o),t),to={},mt=(t,e=to)=>t._$AH=e,ut=t=>t._$AH,ne=t=>{t._$AR(),t._$AA.remove()};var ct=(t,e,o)=>{let s=new Map;for(let a=e;a<=o;a++)s.set(t[a],a);return s},ie=dt(class extends re{constructor(t){if(super(t),t.type!==it.CHILD)throw Error("repeat() can only be used in text expressions")}dt(t,e,o){let s;o===void 0?o=e:e!==void 0&&(s=e);let a=[],r=[],n=0;for(let m of t)a[n]=s?s(m,n):n,r[n]=o(m,n),n++;return{values:r,keys:a}}render(t,e,o){return this.dt(t,e,o).values}update(t,[e,o,s]){let a=ut(t),{values:r,keys:n}=this.dt(e,o,s);if(!Array.isArray(a))return this.ut=n,r;let m=this.ut??=[],i=[],u,y,h=0,f=a.length-1,p=0,g=r.length-1;for(;h<=f&&p<=g;)if(a[h]===null)h++;else if(a[f]===null)f--;else if(m[h]===n[p])i[p]=q(a[h],r[p]),h++,p++;else if(m[f]===n[g])i[g]=q(a[f],r[g]),f--,g--;else if(m[h]===n[g])i[g]=q(a[h],r[g]),O(t,i[g+1],a[h]),h++,g--;else if(m[f]===n[p])i[p]=q(a[f],r[p]),O(t,a[h],a[f]),f--,p++;else if(u===void 0&&(u=ct(n,p,g),y=ct(m,h,f)),u.has(m[h]))if(u.has(m[f])){let k=y.get(n[p]),_e=k!==void 0?a[k]:null;if(_e===null){let Be=O(t,a[h]);q(Be,r[p]),i[p]=Be}else i[p]=q(_e,r[p]),O(t,a[h],_e),a[k]=null;p++}else ne(a[f]),f--;else ne(a[h]),h++;for(;p<=g;){let k=O(t,i[g+1]);q(k,r[p]),i[p++]=k}for(;h<=f;){let k=a[h++];k!==null&&ne(k)}return this.ut=n,mt(t,i),x}});var oo={comma_decimal:["en-US","en"],decimal_comma:["de","es","it"],space_comma:["fr","sv","cs"],quote_decimal:["de-CH"]};function so(t){switch(t.number_format){case"none":return"en-US";case"system":return;default:return oo[t.number_format]??t.language}}var pt=new Map;function ft(t,e){let o=JSON.stringify([t.language,t.number_format,e]),s=pt.get(o);if(!s){let a=t.number_format!=="none";pt.set(o,s=new Intl.NumberFormat(so(t),{useGrouping:a,...e}))}return s}function w(t,e,o={}){return ft(t.locale,o).format(e)}function N(t,e){let o=e>0&&e<.01,s=w(t,o?.01:e,{style:"percent",maximumFractionDigits:0});return o?`<${s}`:s}function $(t,e,o){let s=Math.abs(Number(e)),a=s===0||s>=1?{minimumFractionDigits:2,maximumFractionDigits:2}:s>=1e-4?{minimumFractionDigits:2,maximumFractionDigits:4}:{maximumSignificantDigits:2};return ft(t.locale,{style:"currency",currency:o,...a}).format(Number(e))}function de(t,e){return e<.9995?`${w(t,e*1e3,{maximumFractionDigits:0})} ms`:`${w(t,e,{maximumFractionDigits:e<10?1:0})} s`}function yt(t){return t.locale.time_zone==="server"?{timeZone:t.config.time_zone}:{}}function ao(t){if(t.time_format==="12")return!0;if(t.time_format==="24")return!1;let e=t.time_format==="language"?t.language:void 0;return new Intl.DateTimeFormat(e,{hour:"numeric"}).resolvedOptions().hour12??!1}function Re(t){let e=ao(t.locale)?{hour:"numeric",hourCycle:"h12"}:{hour:"2-digit",hourCycle:"h23"};return{...yt(t),...e,minute:"2-digit"}}function gt(t,e,o=Date.now()){let s=new Intl.DateTimeFormat("en-CA",yt(t));return s.format(e*1e3)!==s.format(o)?Ce(t,e):new Intl.DateTimeFormat(t.locale.language,Re(t)).format(e*1e3)}function Ce(t,e){let o={...Re(t),day:"numeric",month:"short"};return new Intl.DateTimeFormat(t.locale.language,o).format(e*1e3)}function wt(t,e){let o={...Re(t),day:"numeric",month:"short",year:"numeric",second:"2-digit"};return new Intl.DateTimeFormat(t.locale.language,o).format(e*1e3)}var _t={card:{card_name:"AI Router",card_description:"Spending against the budget, how the providers do, and who answered lately.",loading:"Loading…",not_set_up:"AI Router is not set up",not_set_up_admin:"Add it in the settings, or look there why it could not be loaded.",not_set_up_user:"Somebody with an administrator's rights can set it up.",refused:"Home Assistant does not show it here",refused_hint:"Too many pages show the router, or you are not allowed to see it. Close other pages, then reload this one.",wrongly_set:"This card is not set right. What is usual is shown instead.",must_be_text:"{option} must be text.",must_be_flag:"{option} must be true or false.",must_be_count:"{option} must be a whole number from 1 to {most}.",nothing_shown:"Nothing is chosen to be shown. Edit the card to choose.",no_provider:"No provider yet",no_provider_admin:"Add the first one: an account with an AI provider, or a server in your home.",no_provider_user:"Somebody with an administrator's rights can add one.",open_settings:"Open settings",today:"Today",this_week:"This week",this_month:"This month",in_all:"In all",of_budget:"{share} of {limit}",no_budget:"no budget",projection:"about {amount} by the end of the month",budget_used:"Budget used",over_day:"Today's budget is used up",over_week:"This week's budget is used up",over_month:"This month's budget is used up",over_total:"The whole budget is used up",over_hard_until:"What costs nothing goes on; paid requests start again on {when}.",over_hard:"What costs nothing goes on; paid requests need a larger budget.",over_soft:"It only warns: requests go on.",requests_one:"{count} request today",requests_other:"{count} requests today",under_way:"{count} under way",providers:"Providers",need_attention_one:"{count} needs attention",need_attention_other:"{count} need attention",all_well:"all well",show_all:"Show all {count}",show_fewer:"Show fewer",health:"Health",breaker:"Circuit breaker",latency:"Latency",rate:"Per minute",rate_of:"{used} of {limit}",tokens_of:"{used} of {limit} tokens",not_used:"not used yet",disabled:"Disabled",waiting:"Waits: it cannot be used the way it is set",local:"In your home",own_budget_used:"Its budget is used up",details_of:"Show details of {name}",answers:"Last answers",own_answers:"Your last answers",no_answers:"Nothing asked since Home Assistant started.",no_answers_hint:"An automation asks with the action {action}.",answered:"Answered",failed:"Failed",cached:"kept answer",estimated:"estimated",pool:"Pool {name}",rule:"Rule {name}",why:"Why: {reason}",tried:"{provider} failed before: {failure}",tried_last:"{provider}: {failure}",cost:"Cost",source_action:"Action",source_conversation:"Assist",source_ai_task:"AI Task",failure_no_provider:"There was no provider.",failure_not_allowed:"Whoever asked may not ask.",failure_unknown_pool:"There is no such pool.",failure_unknown_strategy:"There is no such strategy.",failure_no_capable_target:"No model can or may do what was asked.",failure_over_budget:"A budget is used up.",failure_limited:"The limit of requests was reached.",failure_all_down:"Every provider was down.",failure_all_failed:"Every provider failed.",failure_rejected:"The provider refused the request.",failure_deadline:"There was no answer in time.",failure_stream_broken:"The answer broke off.",failure_ledger_unavailable:"The record of costs could not be written.",failure_unreadable_text:"The request had half a character in it.",failure_not_cached:"There was no kept answer.",failure_stopping:"AI Router was stopping.",failure_empty_pool:"The pool has no model.",failure_too_expensive:"Every provider might have cost more than the request may.",failure_cancelled:"Whoever asked did not wait.",edit_title:"Title",edit_spend:"Spending",edit_providers:"Providers",edit_answers:"Last answers",edit_max_providers:"Providers at first",edit_max_providers_help:"The others are one click away. Those that need attention come first.",edit_max_answers:"Answers"}};var bt=_t.card,he="ai_router",kt=`component.${he}.config_panel.card`,no=`component.${he}.common.reason`,Pe=`component.${he}.entity.sensor`,Ee="",Ie,vt="";function Tt(t){Ie&&vt===t.language||(vt=t.language,Ie=Promise.all(["config_panel","common"].map(e=>t.loadBackendTranslation(e,he))).catch(()=>Ie=void 0))}function d(t,e,o={}){return t?.localize(`${kt}.${e}`,o)||bt[e].replace(/\{(\w+)\}/g,(s,a)=>o[a]??s)}function K(t,e,o){let s=Object.fromEntries(Object.keys(o).map(a=>[a,`${Ee}${a}${Ee}`]));return d(t,e,s).split(Ee).map((a,r)=>r%2?o[a]:a)}function le(t,e,o,s){let a=new Intl.PluralRules(t.language).select(o);return t.localize(`${kt}.${e}_${a}`,{count:s})||d(t,`${e}_${a==="one"?"one":"other"}`,{count:s})}function z(t,e,o){let s=`${e}_${o}`;return s in bt?d(t,s):G(o)}function G(t){let e=t.replaceAll("_"," ");return e.charAt(0).toUpperCase()+e.slice(1)}function At(t,e){return t.localize(`${Pe}.health.state.${e}`)||G(e)}function me(t,e){return t.localize(`${Pe}.health.state_attributes.reason.state.${e}`)||G(e)}function xt(t,e){return t.localize(`${Pe}.breaker.state.${e}`)||G(e)}function $t(t,e,o){return t.localize(`${no}_${e}`,o)||G(e).toLowerCase()}var io=.8;function b(t,e){return l`<ha-icon class=${e} icon="mdi:${t}" aria-hidden="true"></ha-icon>`}function ue(t,e){return e>0?t/e:1}function ce(t,e,o){let s=o>=1?"bad":o>=io?"warn":"",a=Math.round(Math.min(o,1)*100);return l`<div
    class="meter ${s}"
    role="meter"
    aria-label=${e}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${a}
    aria-valuetext=${N(t,o)}
  >
    <span style="width: ${a}%"></span>
  </div>`}var ho=/[\s\p{Cc}\p{Bidi_Control}]+/gu,St=500;function V(t){let e=t.slice(0,St).replace(ho," ").trim()||"–";return t.length>St?`${e}…`:e}function _(t,e=""){let o=V(t);return l`<bdi class="name ${e}" title=${o}>${o}</bdi>`}function pe(t){return t.filter(e=>e.over)}function qt(t,e){return z(t,"over",e.window)}function J(t,e,o,s,a){let r=t.user?.is_admin??!1;return l`<div class="empty" role="status">
    ${b(a,"quiet")}
    <h3>${d(t,e)}</h3>
    <p class="quiet">${d(t,r?o:s)}</p>
    ${r&&o!==s?l`<a class="button" href="/config/integrations/integration/ai_router">${d(t,"open_settings")}</a>`:c}
  </div>`}function Lt(t,e,o){return l`<section class="answers">
    <div class="head"><h3>${d(t,t.user?.is_admin?"answers":"own_answers")}</h3></div>
    ${e.length?c:lo(t)}
    <ul role="list">
      ${ie(e.slice(0,o),s=>s.id,s=>mo(t,s))}
    </ul>
  </section>`}function lo(t){return l`<p class="quiet">
    ${d(t,"no_answers")}
    ${K(t,"no_answers_hint",{action:l`<code>ai_router.process</code>`})}
  </p>`}function mo(t,e){let{cost:o,failure:s,label:a}=e;return l`<li data-request=${e.id}>
    ${s?b("close-circle","bad"):b("check-circle","good")}
    <div class="what">
      <span class="hidden">${d(t,s?"failed":"answered")}: </span>
      ${_(a||z(t,"source",e.source))}
      <span class="number price">
        <span class="hidden">${d(t,"cost")}: </span>${$(t,o.amount,o.currency)}${o.estimated?l`<span class="small quiet"> ${d(t,"estimated")}</span>`:c}
      </span>
    </div>
    <div class="more-of small quiet">
      <span class="who-gave">${s?z(t,"failure",s):uo(t,e)}</span>
      <time class="number" datetime=${new Date(e.when*1e3).toISOString()} title=${wt(t,e.when)}
        >${gt(t,e.when)}</time
      >
    </div>
    ${co(t,e)}
  </li>`}function uo(t,{provider:e,model:o,cached:s,latency:a}){return l`${_(e??"","strong")} · ${_(o??"")} · <bdi class="number">${de(t,a)}</bdi
    >${s?l` · ${d(t,"cached")}`:c}`}function co(t,{failure:e,pool:o,reasons:s,rule:a,tried:r}){let n=e?"tried_last":"tried",m=new Map(r.map(u=>[`${u.failure} ${u.provider}`,u])),i=[...a===null?[]:[K(t,"rule",{name:_(a)})],...o===null?[]:[K(t,"pool",{name:_(o)})],...s.length?[d(t,"why",{reason:s.map(u=>po(t,u)).join(", ")})]:[],...[...m.values()].map(u=>K(t,n,{provider:_(u.provider),failure:me(t,u.failure??"unknown")}))];return i.length?l`<div class="why small quiet">${i.map(u=>l`<span>${u}</span>`)}</div>`:c}function po(t,e){if(typeof e=="string")return V(e);let{because:o,number:s,share:a,seconds:r,price:n}=e;return $t(t,o,{number:s===null?"":w(t,s),share:a===null?"":N(t,a),seconds:r===null?"":w(t,r,{maximumFractionDigits:2}),price:n===null?"":w(t,Number(n),{maximumFractionDigits:6})})}var Rt=v`
  .answers li {
    display: grid;
    grid-template-columns: 18px minmax(0, 1fr);
    gap: 0 var(--ha-space-3, 12px);
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .answers .head {
    padding-bottom: var(--ha-space-1, 4px);
  }
  .answers li > :not(ha-icon) {
    grid-column: 2;
  }
  .answers p {
    padding: var(--ha-space-2, 8px) 0;
  }
  .what,
  .more-of {
    display: flex;
    justify-content: space-between;
    gap: var(--ha-space-3, 12px);
    min-width: 0;
  }
  .what .name {
    font-weight: var(--strong);
  }
  .who-gave,
  .why {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .strong {
    max-width: 60%;
    color: var(--primary-text-color);
  }
  .why > span + span::before {
    content: " · ";
  }
  code {
    font-family: var(--ha-font-family-code, monospace);
  }
`;var fo="ai_router/subscribe",yo="ai_router",go="unknown_command",wo=3,_o=300,fe={is:"loading"},Ct={is:"not_set_up"},vo={is:"refused"},Ne=class{constructor(e){this.connection=e;this.state=fe;this.#e=new Set;this.#t={};this.#o=!1;this.#s=0;this.follow=()=>{let e=this.#e.size>0&&!document.hidden&&this.connection.connected;e&&!this.#o&&this.#h(),!e&&this.#o&&this.#i()};this.#n=()=>{this.#r=void 0,this.#i(),this.follow()}}#e;#t;#o;#a;#s;#r;join(e){return this.#e.add(e),clearTimeout(this.#a),this.connection.addEventListener("ready",this.#n),document.addEventListener("visibilitychange",this.follow),this.follow(),()=>{this.#e.delete(e),this.#e.size||(this.#a=window.setTimeout(()=>this.#m(),_o))}}#n;#h(){let e=++this.#s;this.#o=!0,this.#t={},this.connection.subscribeMessage(o=>e===this.#s&&this.#u(o),{type:fo},{resubscribe:!1}).then(o=>{e===this.#s?this.#r=o:o().catch(()=>{})},o=>e===this.#s&&this.#l(o?.code??o))}#i(){this.#s++,this.#o=!1,this.#r?.().catch(()=>{}),this.#r=void 0}#l(e){this.#o=!1,e!==wo&&this.#d(e===go?Ct:vo)}#m(){this.follow(),this.connection.removeEventListener("ready",this.#n),document.removeEventListener("visibilitychange",this.follow),this.state=fe}#u(e){this.#t={...this.#t,...e};let o=this.#t;this.#d(o.set_up?{is:"ready",overview:o}:Ct)}#d(e){this.state=e;for(let o of this.#e)o()}},Et=new WeakMap;function Oe(t){let e=Et.get(t);return e||Et.set(t,e=new Ne(t)),e}var ye=class{constructor(e){this.host=e;e.addController(this)}#e;#t;#o=!1;get state(){let e=this.#e?Oe(this.#e).state:fe;return e.is==="not_set_up"&&this.host.hass?.config.state!=="RUNNING"?fe:e}hostConnected(){this.hostUpdate()}hostUpdate(){let e=this.host.hass;if(!e||!this.host.isConnected)return;(!this.#t||this.#e!==e.connection)&&(this.#t?.(),this.#e=e.connection,this.#t=Oe(e.connection).join(()=>this.host.requestUpdate()));let o=e.config.components.includes(yo);o&&!this.#o&&Oe(e.connection).follow(),this.#o=o,o&&Tt(e)}hostDisconnected(){this.#t?.(),this.#t=void 0}};function W(){return document.querySelector("home-assistant")?.hass}function Pt(t){return{usual:"",label:t,fits:e=>typeof e=="string",must:"must_be_text",selector:{text:{}}}}function ge(t){return{usual:!0,label:t,fits:o=>typeof o=="boolean",must:"must_be_flag",selector:{boolean:{}}}}function We(t,e,o,s){return{usual:e,label:t,fits:n=>Number.isInteger(n)&&Number(n)>=1&&Number(n)<=o,must:"must_be_count",most:o,selector:{number:{min:1,max:o,mode:"box"}},...s&&{help:s}}}var Ot=t=>t!=null;function Nt(t,e){let o=Object.entries(t).map(([s,a])=>{let r=e?.[s];return[s,Ot(r)&&a.fits(r)?r:a.usual]});return Object.fromEntries(o)}function He(t,e,o){return Object.entries(e).filter(([s,a])=>Ot(o[s])&&!a.fits(o[s])).map(([s,{must:a,most:r}])=>d(t,a,{option:s,most:String(r)}))}function Wt(t){return{schema:Object.entries(t).map(([o,{usual:s,selector:a}])=>({name:o,selector:a,...s!==""&&{default:s}})),assertConfig:o=>{let s=He(W(),t,o);if(s.length)throw new Error(s.join(" "))},computeLabel:({name:o})=>It(t[o]?.label),computeHelper:({name:o})=>It(t[o]?.help)}}var It=t=>t?d(W(),t):"";var Ht=v`
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
`;var Me={title:Pt("edit_title")},H=class extends S{constructor(){super(...arguments);this.#e=new ye(this);this.bones=1}static{this.options=Me}static{this.properties={hass:{attribute:!1},_config:{state:!0}}}#e;static getConfigForm(){return Wt(this.options)}static getStubConfig(){return{}}setConfig(o){this._config=o}getGridOptions(){return{columns:12,min_columns:6,rows:"auto",min_rows:3}}note(o,s){return""}get settings(){return Nt(this.#t,this._config)}get#t(){return this.constructor.options}render(){let{hass:o,_config:s}=this;return!o||!s?c:l`<ha-card
      ><div class="body">${this.#o(o)} ${this.#a(o,s)} ${this.#s(o)}</div></ha-card
    >`}#o(o){let s=this.#e.state;return l`<div class="head top">
      <h2>${_(this.settings.title||d(o,this.constructor.label))}</h2>
      <span class="small quiet">${s.is==="ready"?this.note(o,s.overview):c}</span>
    </div>`}#a(o,s){let a=He(o,this.#t,s);return a.length?l`<div class="notice bad" role="alert">
      ${b("alert-circle-outline","bad")}
      <div><strong>${d(o,"wrongly_set")}</strong>${a.map(r=>l`<br />${r}`)}</div>
    </div>`:c}#s(o){let s=this.#e.state;switch(s.is){case"loading":return l`<div class="loading" role="status" aria-busy="true">
          <span class="hidden">${d(o,"loading")}</span>
          ${Array.from({length:this.bones},()=>l`<div class="bone"></div>`)}
        </div>`;case"not_set_up":return J(o,"not_set_up","not_set_up_admin","not_set_up_user","router-wireless-off");case"refused":return J(o,"refused","refused_hint","refused_hint","lock-outline");case"ready":return this.show(o,s.overview)}}fire(o,s){this.dispatchEvent(new CustomEvent(o,{detail:s,bubbles:!0,composed:!0}))}static{this.styles=[Ht,v`
      .top {
        margin-bottom: var(--ha-space-3, 12px);
      }
      .bone {
        height: 56px;
        margin-top: var(--ha-space-3, 12px);
        border-radius: var(--ha-border-radius-md, 8px);
        background: var(--line);
        animation: breathe 1.6s ease-in-out infinite alternate;
      }
      @keyframes breathe {
        to {
          opacity: 0.4;
        }
      }
    `]}};var bo={unhealthy:{symbol:"close-circle",tone:"bad",rank:0},degraded:{symbol:"alert",tone:"warn",rank:1},healthy:{symbol:"check-circle",tone:"good",rank:2}},ko={symbol:"clock-alert-outline",tone:"warn",rank:1},To={symbol:"minus-circle-outline",tone:"quiet",rank:3},Ao={symbol:"help-circle-outline",tone:"quiet",rank:2},xo=["latency","rate","today","this_month"];function Mt(t,e){let o=e.providers.map(r=>({provider:r,look:$o(r)})).sort((r,n)=>r.look.rank-n.look.rank),s=o.filter(({look:r})=>r.rank<2).length,a=e.all?o:o.slice(0,e.most);return l`<section class="providers">
    <div class="head">
      <h3>${d(t,"providers")}</h3>
      <span class="small quiet">
        ${s?le(t,"need_attention",s,w(t,s)):d(t,"all_well")}
      </span>
    </div>
    <div class="table">
      <div class="columns small quiet" aria-hidden="true">
        ${xo.map(r=>l`<span>${d(t,r)}</span>`)}
      </div>
      <ul id="providers" role="list">
        ${ie(a,({provider:r})=>r.id,({provider:r,look:n})=>l`<li class="row" data-provider=${r.id}>
            ${b(n.symbol,n.tone)}
            <div class="who">${So(t,r,e)} ${qo(t,r)}</div>
            ${r.waiting?c:Lo(t,r,e.currency)}
          </li>`)}
      </ul>
    </div>
    ${o.length>e.most?l`<button class="more" aria-expanded=${e.all} aria-controls="providers" @click=${e.toggle}>
          ${e.all?d(t,"show_fewer"):d(t,"show_all",{count:w(t,o.length)})}
        </button>`:c}
  </section>`}function $o(t){return t.waiting?ko:t.enabled?bo[t.health]??Ao:To}function So(t,e,o){let{entity:s}=e,a=!e.waiting&&e.local?l`<ha-icon class="quiet local" icon="mdi:home-outline" title=${d(t,"local")}></ha-icon
          ><span class="hidden">${d(t,"local")}</span>`:c;return s?l`<div class="line">
    <button
      class="link"
      aria-label=${d(t,"details_of",{name:V(e.name)})}
      @click=${()=>o.details(s)}
    >
      ${_(e.name)}</button
    >${a}
  </div>`:l`<div class="line">${_(e.name)}${a}</div>`}function qo(t,e){if(e.waiting)return l`<div class="small quiet">${d(t,"waiting")}</div>`;let o=e.breaker!=="closed",s=[e.enabled?e.health==="unknown"?d(t,"not_used"):At(t,e.health):d(t,"disabled"),...e.reason?[me(t,e.reason)]:[],...pe(e.budgets).length?[d(t,"own_budget_used")]:[]];return l`<div class="small quiet">
    <span class="hidden">${d(t,"health")}: </span>${s.join(" · ")}
    <span class=${o?"chip":"hidden"}>
      ${d(t,"breaker")}: ${xt(t,e.breaker)}
    </span>
  </div>`}function Lo(t,e,o){let{latency:s}=e,a=n=>l`<bdi class="number">${n}</bdi>`,r=(n,m,i)=>l`<div class="value ${n}">
    <span class="label small quiet">${d(t,m)}</span> ${i}
  </div>`;return l`<div class="figures">
    ${r("latency","latency",a(s===null?"–":de(t,s)))}
    ${r("rate","rate",Ro(t,e))}
    ${r("today","today",a($(t,e.today,o)))}
    ${r("month","this_month",a($(t,e.month,o)))}
  </div>`}function Ro(t,e){let{requests_per_minute:o,requests_limit:s,tokens_per_minute:a,tokens_limit:r}=e,n={notation:"compact",maximumSignificantDigits:3},m=(u,y,h,f={})=>{let p={used:w(t,y,f),limit:w(t,h,f)};return l`<bdi class="number">${d(t,u,p)}</bdi>${ce(t,d(t,"rate"),ue(y,h))}`},i=[...s===null?[]:[m("rate_of",o,s)],...r===null?[]:[m("tokens_of",a,r,n)]];return i.length?i:[l`<bdi class="number">${w(t,o)}</bdi>`]}var Ut=v`
  .providers .row {
    display: grid;
    grid-template-columns: 18px minmax(0, 1fr);
    gap: 2px var(--ha-space-3, 12px);
    align-items: start;
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .providers .head {
    padding-bottom: var(--ha-space-1, 4px);
  }
  .columns {
    display: none;
  }
  .who,
  .figures {
    grid-column: 2;
    min-width: 0;
  }
  .figures {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(max(110px, 34%), 100%), 1fr));
    gap: 2px var(--ha-space-3, 12px);
  }
  .who {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 var(--ha-space-2, 8px);
  }
  .line {
    display: flex;
    align-items: center;
    gap: var(--ha-space-1, 4px);
    min-width: 0;
  }
  .line .local {
    --mdc-icon-size: 14px;
  }
  .link {
    display: flex;
    min-width: 0;
    max-width: 100%;
    padding: 0;
    border-radius: var(--ha-border-radius-sm, 4px);
    color: inherit;
    font-weight: var(--strong);
    text-align: start;
  }
  .link:hover {
    background: none;
    text-decoration: underline;
  }
  .chip {
    display: inline-block;
    padding: 0 var(--ha-space-2, 8px);
    border-radius: var(--ha-border-radius-pill, 9999px);
    background: color-mix(in srgb, var(--bad) 15%, transparent);
    color: var(--primary-text-color);
  }
  .value {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    justify-content: space-between;
    gap: 0 var(--ha-space-1, 4px);
    min-width: 0;
  }
  .value .meter {
    flex: 0 0 100%;
    height: 3px;
    margin-top: 2px;
  }
  .more {
    display: block;
    width: 100%;
  }
  @container card (min-width: 424px) {
    .table {
      display: grid;
      grid-template-columns: 18px minmax(96px, 1fr) repeat(4, auto);
      column-gap: var(--ha-space-3, 12px);
    }
    .columns,
    .table ul,
    .providers .row {
      display: grid;
      grid-column: 1 / -1;
      grid-template-columns: subgrid;
    }
    .columns {
      padding-bottom: var(--ha-space-1, 4px);
      text-align: end;
    }
    .columns > :first-child {
      grid-column: 3;
    }
    .who {
      display: block;
    }
    .figures {
      display: contents;
    }
    .value {
      display: block;
      text-align: end;
    }
    .value .label {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }
`;var Co={day:"today",week:"this_week",month:"this_month",total:"in_all"};function Bt(t,e){let o=a=>e.budgets.find(r=>r.window===a),s=[o("week"),o("total")].filter(a=>a!==void 0);return l`<section class="spend" aria-label=${d(t,"edit_spend")}>
    <div class="tiles">
      ${Ue(t,e,"day",e.today,o("day"))}
      ${Ue(t,e,"month",e.month,o("month"))}
      ${s.map(a=>Ue(t,e,a.window,a.spent,a))}
    </div>
    ${pe(e.budgets).map(a=>Eo(t,a))}
  </section>`}function Ue(t,{currency:e,projected:o},s,a,r){let n=r&&ue(Number(r.spent),Number(r.limit));return l`<div class="tile" data-window=${s}>
    <div class="quiet">${d(t,Co[s])}</div>
    <div class="amount number">${$(t,a,e)}</div>
    ${r&&n!==void 0?l`${ce(t,d(t,"budget_used"),n)}
          <div class="small quiet">
            ${d(t,"of_budget",{share:N(t,n),limit:$(t,r.limit,e)})}
          </div>`:l`<div class="small quiet">${d(t,"no_budget")}</div>`}
    ${s==="month"&&Number(o)?l`<div class="small quiet projection">
          ${d(t,"projection",{amount:$(t,o,e)})}
        </div>`:c}
  </div>`}function Eo(t,e){let o=e.hard?e.free_at===null?d(t,"over_hard"):d(t,"over_hard_until",{when:Ce(t,e.free_at)}):d(t,"over_soft");return l`<div class="notice ${e.hard?"bad":"warn"}" role="status">
    ${b("wallet-outline",e.hard?"bad":"warn")}
    <div><strong>${qt(t,e)}</strong><br />${o}</div>
  </div>`}var Dt=v`
  .tiles {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(120px, 100%), 1fr));
    gap: var(--ha-space-4, 16px);
  }
  .amount {
    font-size: var(--large);
    line-height: 1.3;
    white-space: normal;
    overflow-wrap: anywhere;
  }
  .tile .meter {
    margin: var(--ha-space-1, 4px) 0;
  }
`;var Io={...Me,show_spend:ge("edit_spend"),show_providers:ge("edit_providers"),show_answers:ge("edit_answers"),max_providers:We("edit_max_providers",6,100,"edit_max_providers_help"),max_answers:We("edit_max_answers",5,20)},we=class extends H{constructor(){super();this.bones=3;this._all=!1}static{this.type="ai-router-card"}static{this.label="card_name"}static{this.about="card_description"}static{this.options=Io}static{this.properties={...H.properties,_all:{state:!0}}}getCardSize(){let{show_spend:o,show_providers:s,show_answers:a,max_providers:r,max_answers:n}=this.settings;return 1+(o?3:0)+(s?1+r:0)+(a?1+n:0)}note(o,{activity:s}){if(!s)return"";let a=le(o,"requests",s.requests_today,w(o,s.requests_today));return s.under_way?`${a} · ${d(o,"under_way",{count:w(o,s.under_way)})}`:a}show(o,{spend:s,providers:a,requests:r}){let{show_spend:n,show_providers:m,show_answers:i,max_providers:u,max_answers:y}=this.settings;return!n&&!m&&!i?l`<p class="quiet">${d(o,"nothing_shown")}</p>`:!a.length&&(m||!r.length)?J(o,"no_provider","no_provider_admin","no_provider_user","server-plus"):l`
      ${s&&n?Bt(o,s):c}
      ${m?Mt(o,{providers:a,currency:s?.currency??"USD",most:u,all:this._all,toggle:()=>this._all=!this._all,details:h=>this.fire("hass-more-info",{entityId:h})}):c}
      ${i?Lt(o,r,y):c}
    `}static{this.styles=[H.styles,Dt,Ut,Rt]}};var Po=[we];for(let t of Po)customElements.get(t.type)||(customElements.define(t.type,t),(window.customCards??=[]).push({type:t.type,get name(){return d(W(),t.label)},get description(){return d(W(),t.about)},preview:!0,getEntitySuggestion:(e,o)=>e.entities[o]?.platform==="ai_router"?{config:{type:`custom:${t.type}`}}:null,documentationURL:"https://github.com/example/ai-router"}));
/*! Bundled license information:

@lit/reactive-element/css-tag.js:
  (**
   * @license
   * Copyright 2019 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

@lit/reactive-element/reactive-element.js:
lit-html/lit-html.js:
lit-element/lit-element.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/is-server.js:
  (**
   * @license
   * Copyright 2022 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
